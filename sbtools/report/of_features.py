"""What `sbtools similarity` and `sbtools factors` print, as a report shows it beside results."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sbtools.errors import DamagedError
from sbtools.evaluate.metric import SHARE
from sbtools.evaluate.of_features import FACTORS, ROWS, SIMILARITY
from sbtools.records.parse import strict_json
from sbtools.report.grid import NOTHING, Grid, Line
from sbtools.report.node import Node
from sbtools.report.text import CSV_HEAD, cell_of_sheet
from sbtools.store.output import read_regular

BYTES_LIMIT, HEAD_BYTES, VERSION = 64 << 20, 256, 1
BEGINS = re.compile(rb'\s*\{\s*"format"\s*:\s*"sbtools-(similarity|factors)"')
TITLES = {
    SIMILARITY: "Features that are held against each other",
    FACTORS: "Static and dynamic factors of features",
}
NOTES = {
    SIMILARITY: "CKA and HSIC are debiased: about 0 for independent features. The biased CKA rises "
    "where clips are few, and has no interval. p: of independence. See sbtools-similarity(1).",
    FACTORS: "Read rho: a share lies between 16 and 42 percent wherever rho is 0 to 1. Styles that "
    "leave textures and shapes raise rho dynamic. See sbtools-factors(1).",
}


@dataclass(frozen=True)
class Number:
    """A value with its interval, None where it is not defined or has none."""

    value: float | None
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True)
class FeatureResult:
    """One object that a command printed. kind: similarity or factors; p: of independence."""

    path: str
    name: str
    kind: str
    of: str
    metrics: dict[str, Number]
    clips: int
    p: float | None


def parted(paths: Sequence[str]) -> tuple[list[str], list[FeatureResult], list[str]]:
    """The other files; what those of features tell; and why some of these cannot be read."""
    others, found, faults = [], [], []
    for path in paths:
        if not _begins_so(path):
            others.append(path)
            continue
        try:
            found += _read(path)
        except DamagedError as fault:
            faults.append(str(fault))
    return others, found, faults


def _begins_so(path: str) -> bool:
    try:
        return BEGINS.match(read_regular(path, HEAD_BYTES)) is not None
    except OSError:
        return False


def _read(path: str) -> list[FeatureResult]:
    """One object, or one on each line; DamagedError where the file is cut or too large."""
    data = read_regular(path, BYTES_LIMIT + 1)
    if len(data) > BYTES_LIMIT:
        raise DamagedError(f"{path}: more than {BYTES_LIMIT >> 20} MiB: not of sbtools")
    try:
        objects = [strict_json(data)]
    except ValueError:
        objects = _lines(path, data)
    stem = os.path.basename(path).removesuffix(".json").removesuffix(".jsonl")
    names = [stem] if len(objects) == 1 else [f"{stem} {at + 1}" for at in range(len(objects))]
    return [
        _told(path, name, Node(each, f"{path}: field "))
        for name, each in zip(names, objects, strict=True)
    ]


def _lines(path: str, data: bytes) -> list[object]:
    try:
        return [strict_json(line) for line in data.splitlines() if line.strip()]
    except ValueError as fault:
        raise DamagedError(f"{path} is cut or no JSON ({fault}): run the command again") from None


def _told(path: str, name: str, top: Node) -> FeatureResult:
    kind = top["format"].text().removeprefix("sbtools-")
    if kind not in TITLES:
        raise DamagedError(f"{top['format'].place} is not sbtools-similarity or sbtools-factors")
    if top["version"].whole() > VERSION:
        raise DamagedError(f"{path}: made by a newer sbtools ({top['sbtools'].text()}): install it")
    known = [metric for metric, row in ROWS.items() if row.group == kind]
    metrics = {metric: _number(top["metrics"][metric]) for metric in known}
    if kind == SIMILARITY:
        of, clips = " and ".join(top["names"].texts()), top["n"].whole()
    else:
        named = [name for two in top["names"]["dynamic"].nodes() for name in two.texts()]
        of, clips = (named or [""])[0], top["pairs"]["dynamic"].whole()
    return FeatureResult(path, name, kind, of, metrics, clips, top["independence"]["p"].number())


def _number(node: Node) -> Number:
    ends = node["interval"].array() or [None, None]
    low, high = Node(ends, node["interval"].place).numbers(2)
    return Number(node["value"].number(), low, high, node["count"].whole())


def grids(found: Sequence[FeatureResult]) -> list[Grid]:
    """A table of each kind that there is."""
    return [_grid(kind, [one for one in found if one.kind == kind])
            for kind in TITLES if any(one.kind == kind for one in found)]  # fmt: skip


def _grid(kind: str, found: Sequence[FeatureResult]) -> Grid:
    titles = {name: row.title for name, row in ROWS.items() if row.group == kind}
    p = ["p"] if kind == SIMILARITY else []
    head = ["features", "of", *titles.values(), *p, "clips"]
    lines = [
        Line(one.name, [
            (one.of, ""), *(texts(name, one.metrics[name]) for name in titles),
            *[(NOTHING if one.p is None else f"{one.p:.2g}", "") for _ in p], (str(one.clips), ""),
        ])
        for one in found
    ]  # fmt: skip
    return Grid(TITLES[kind], head, lines, [NOTES[kind]])


def texts(metric: str, number: Number) -> tuple[str, str]:
    """The value and its interval: a share in percent, any other number to three digits."""
    if number.value is None:
        return NOTHING, ""

    def shown(value: float) -> str:
        share = ROWS[metric].unit == SHARE
        return f"{100 * value:.1f}" if share else f"{value:#.3g}"

    if number.low is None or number.high is None:
        return shown(number.value), ""
    return shown(number.value), f"[{shown(number.low)}, {shown(number.high)}]"


def csv_lines(found: Sequence[FeatureResult], columns: int) -> str:
    """A line for each metric, under the head of `sbtools.report.text.as_csv`; nothing rounded."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for one in found:
        for metric, number in one.metrics.items():
            told = {"result": one.name, "origin": "ours", "metric": metric, "value": number.value,
                    "low": number.low, "high": number.high, "clips": number.count,
                    "files": one.path}  # fmt: skip
            cells = [cell_of_sheet(told.get(name)) for name in CSV_HEAD]
            writer.writerow([*cells, *[None] * (columns - len(cells))])
    return out.getvalue()
