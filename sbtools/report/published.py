"""Published numbers, what is odd in them, and which of them may stand beside a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import sqrt
from typing import Any

from sbtools.evaluate.granularity import counts
from sbtools.report.runs import Run
from sbtools.report.tables import Row, Table

MASKING, ALBAR = "masking-zero-shot-static-bias", "albar-slides"
TITLES = {
    MASKING: "Masking background and objects to reduce static bias in zero-shot action recognition",
    ALBAR: "ALBAR, the slides",
}
LISTED = {("1", "base"): 9944, ("1", "novel"): 9933, ("4", "base"): 17562, ("4", "novel"): 7215}
FITTED = {"mimetics": (576, 624), "kinetics400": (2432,)}
CLASSES = {"kinetics400": 400, "mimetics": 50, "hmdb51": 51, "ucf101": 101}
STATIC_BIAS = "static-bias"
MADE = {"scuba_avg", "scufo_avg", "conflfg"}
"""What is measured on clips made of those of a data set."""
TESTED = {(ALBAR, STATIC_BIAS, "albar"): "albar"}
"""Rows of which it is told by what protocol they were tested: (source, table's protocol, method)
-> its name. Where other rows of the slides are from is not."""
HALF = {"kinetics400": 200, "ssv2": 87}


@dataclass(frozen=True)
class Number:
    """A published share. low, high: Wilson's 95 % interval of so many clips, where they are known.

    flag: what is in doubt, in words. shown: as it is to be printed where there is no value.
    """

    value: float | None
    low: float | None
    high: float | None
    flag: str
    shown: str


@dataclass(frozen=True)
class Published:
    """A row of a published table. clips: how many, as far as is known, and `basis`: from what."""

    source: str
    table: str
    protocol: str
    dataset: str
    split: str
    model: str
    method: str
    classes: int | None
    clips: int | None
    basis: str
    numbers: dict[str, Number]

    @property
    def name(self) -> str:
        """Model and method."""
        return ", ".join(part for part in (self.model, self.method) if part)

    @property
    def place(self) -> str:
        """Where it is printed."""
        numbered = self.table[0].isdigit()
        title = "masking paper" if self.source == MASKING else "ALBAR slides"
        return f"{title}, {'Table ' if numbered else ''}{self.table}, {self.protocol}"


def wilson(share: float, clips: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """The score interval of a binomial share (Wilson 1927)."""
    middle = share + z * z / (2 * clips)
    spread = z * sqrt(share * (1 - share) / clips + (z / (2 * clips)) ** 2)
    whole = 1 + z * z / clips
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)


@cache
def rows() -> tuple[Published, ...]:
    """All published rows, in the order of the documents."""
    told = json.loads(files("sbtools.report").joinpath("published.json").read_text("utf-8"))
    apart: dict[Any, list[dict[str, Any]]] = {}
    names = ("source", "table", "protocol", "dataset", "split", "model", "method", "classes")
    for number in told:
        apart.setdefault(tuple(number.get(name) for name in names), []).append(number)
    return tuple(_row(key, numbers) for key, numbers in apart.items())


def _row(key: Sequence[Any], numbers: Sequence[dict[str, Any]]) -> Published:
    source, table, protocol, dataset, split, model, method, classes = key
    clips, basis = _size(table, dataset, split, [n["value"] for n in numbers])
    named = 50 if classes == "mimetics50" else CLASSES.get(dataset)
    return Published(
        source, table, protocol, dataset, split or "", model or "", method,
        HALF[dataset] if split else named, clips, basis,
        {number["metric"]: _number(number, clips, basis) for number in numbers},
    )  # fmt: skip


def _size(
    table: str, dataset: str, split: str | None, values: Sequence[float | None]
) -> tuple[int | None, str]:
    """How many clips a row was measured on: by the official list, or what fits most values."""
    if (table, split) in LISTED:
        return LISTED[table, split or ""], "listed"
    if table not in ("2", "3"):
        return None, "not stated"
    known = [value for value in values if value is not None]
    return max(FITTED[dataset], key=lambda n: sum(bool(counts(v, n)) for v in known)), "fitted"


def _number(told: dict[str, Any], clips: int | None, basis: str) -> Number:
    value, flags = told["value"], [told["flag"]] if told.get("flag") else []
    if told.get("ocr"):
        flags[-1] += f" (scanned as {told['ocr']})"
    if value is None:
        low, high = told["range"]
        return Number(None, low / 100, high / 100, "; ".join(flags), f"{low:g} to {high:g}")
    if basis == "fitted" and clips and not counts(value, clips):
        flags.append(f"fits no count of {clips} clips")
    low, high = wilson(value / 100, clips) if clips else (None, None)
    return Number(value / 100, low, high, "; ".join(flags), f"{value:.2f}")


def beside(table: Table) -> list[Published]:
    """The rows that may stand beside a table: its data set, split, classes, P-top1, and protocol
    where it names one.

    None where its masks were made without learned weights, where top1 is not of originals, and none
    of other models than its own, where it has any of its own. Beside SCUBA, SCUFO or ConflFG those
    with one of these.
    """
    run = table.first
    if not table.published or run.judged or any(each.weight_free for each in table.runs):
        return []
    needed = MADE & {*table.metrics}
    found = [row for row in rows() if _fits(row, run) and (not needed or MADE & {*row.numbers})]
    models = {name for each in table.runs for name in _models(each)}
    own = [row for row in found if row.model in models or not row.model]
    return own if any(row.model for row in own) else found


def _models(run: Run) -> set[str]:
    """What a paper may call the model: its name, and that of its backbone."""
    name, settings = str(run.model.get("name") or ""), run.model.get("settings")
    backbone = settings.get("backbone") if isinstance(settings, dict) else None
    return {name.removeprefix("torchvision:"), str(backbone or "")} - {""}


def _fits(row: Published, run: Run) -> bool:
    if (row.dataset, row.split, row.classes) != (run.dataset, run.part, len(run.classes)):
        return False
    if run.tested and TESTED.get((row.source, row.protocol, row.method)) != run.tested:
        return False
    view = {"mask bg": "bg", "mask obj": "bg+obj"}.get(row.method.rpartition(" ")[0])
    return view is None or not run.p_view or view == run.p_view


def same(row: Row, published: Published) -> bool:
    """Whether a row of ours is of the published model and method."""
    run = row.runs[0]
    if published.protocol == STATIC_BIAS:
        alike = published.model in _models(run) or not published.model
        return alike and run.method.get("name") == published.method
    if not published.model or run.model.get("name") != published.model:
        return False
    ratio = _ratio(published.method.rpartition(" ")[2])
    ours = run.method.get("settings") or {}
    if run.method.get("name") == "mask":
        if not isinstance(ours, dict) or ours.get("region", "mask") != "mask":
            return False
        return _near(_ratio(str(ours.get("ratio", ""))), ratio)
    plain = bool(ratio) and ratio[0] == 1
    return run.method.get("name") == "none" and (plain or published.method == "none")


def _ratio(text: str) -> list[float]:
    """The parts of "0.5:0.5", divided by their sum; empty for what is none."""
    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        return []
    whole = sum(parts)
    return [part / whole for part in parts] if len(parts) > 1 and whole > 0 else []


def _near(a: Sequence[float], b: Sequence[float]) -> bool:
    return (
        bool(a) and len(a) == len(b) and all(abs(x - y) < 0.02 for x, y in zip(a, b, strict=True))
    )
