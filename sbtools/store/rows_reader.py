"""Reading stores of scores back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from h5py import h5d, h5g
from numpy.typing import NDArray

from sbtools.errors import ClipError, DamagedError, UsageError
from sbtools.records import Record
from sbtools.records.fields import check
from sbtools.store.band_views import split
from sbtools.store.done import IndexLine, index_of, newest, places_of
from sbtools.store.layout import KINDS, chunk_rows, parts_of, without_version
from sbtools.store.made import read_made
from sbtools.store.open_part import OpenPart
from sbtools.store.rows import described
from sbtools.store.rows_digest import rows_digest
from sbtools.store.safe import attribute, attributes, inspect, member, names, read

Row = NDArray[np.float32]


@dataclass(frozen=True)
class Block:
    """Some clips of a store, in order.

    records: list of n. scores: float32 [n, K] by view; NaN where the clip failed. covered, area:
    float32 [n] by view, those that are known: the share of a clip's frames that have a mask, and
    the mean share of the picture that the mask covers; NaN where not known.
    """

    records: list[Record]
    scores: dict[str, Row]
    covered: dict[str, Row]
    area: dict[str, Row]

    def take(self, places: Sequence[int]) -> Block:
        """Some of its clips."""
        rows = (
            {k: v[places] for k, v in d.items()} for d in (self.scores, self.covered, self.area)
        )
        return Block([self.records[place] for place in places], *rows)


def what_of(folder: str) -> dict[str, Any]:
    """`made.what` of a store of scores; UsageError where the folder is none."""
    made = read_made(folder) if os.path.isdir(folder) else None
    if made is None:
        raise UsageError(f"{folder} is no store of scores: it has no made.json")
    if made["format"] != KINDS["scores"].format:
        raise UsageError(f"{folder} is a store of {made['format']}, not of scores")
    return require_what(made["what"], folder)


def require_what(what: dict[str, Any], where: str) -> dict[str, Any]:
    """What a store of scores says of itself, if it is whole."""
    try:
        texts = [*what["classes"], *what["views"]]
        if all(isinstance(text, str) for text in texts):
            described(what["classes"], what["kind"], what["views"])
            return what
    except (KeyError, TypeError, UsageError):
        pass
    raise DamagedError(f"{where}: classes, kind or views are damaged")


def read_rows(folder: str) -> Iterator[Block]:
    """All clips of a store of scores, part by part, each once: of repeated ones the newest.

    DamagedError for a part that is not whole, not safe, or of another store.
    """
    what = what_of(folder)
    paths = [os.path.join(os.path.abspath(folder), name) for name in parts_of(folder)]
    repeated = _repeated(paths)
    for path in paths:
        with OpenPart(path) as part:
            if without_version(part.made["what"]) != without_version(what):
                raise DamagedError(f"{path} is not made from what {folder} was made from")
            block = read_part(part)
        name = os.path.basename(path)
        stays = [
            place
            for place, record in enumerate(block.records)
            if repeated.get(record["id"], name) == name
        ]
        yield block if len(stays) == len(block.records) else block.take(stays)


def _repeated(paths: Sequence[str]) -> dict[str, str]:
    """id -> the part that counts, of clips that stand in several."""
    entries: list[tuple[str, IndexLine]] = []
    for path in paths:
        with OpenPart(path) as part:
            entries += places_of(part)
    seen: set[str] = set()
    twice = {line.id for _, line in entries if line.id in seen or seen.add(line.id)}  # type: ignore[func-returns-value]
    among = [(name, line) for name, line in entries if line.id in twice]
    return {id: name for id, (name, _) in newest(among).items()}


def read_part(part: OpenPart) -> Block:
    """The rows of one part, all checked, and held against its digest."""
    block = _block(part)
    _require_digest(part, block)
    return block


def _block(part: OpenPart) -> Block:
    if not part.kind.rows:
        raise DamagedError(f"{part.path} is a part of a store of {part.kind.field}, not of scores")
    what = require_what(part.made["what"], part.path)
    records = [_record(line, part.path) for line in index_of(part)]
    block = Block(records, {}, {}, {})
    for view in what["views"]:
        where = f"{part.path}: /views/{view}"
        group = member(part.clips, view, where, h5g.GroupID)
        there = names(group, where)
        kept = {"scores": block.scores, "covered": block.covered, "area": block.area}
        for name in ("scores", *(n for n in ("covered", "area") if n in there)):
            kept[name][view] = _rows(group, name, len(records), len(what["classes"]), where)
    return block


def _require_digest(part: OpenPart, block: Block) -> None:
    """DamagedError where the digest is of other contents; parts of old versions have none."""
    told = attributes(part.root, part.path).get("digest")
    datasets = {"scores": block.scores, "covered": block.covered, "area": block.area}
    if told is None:
        return
    made = str(attribute(part.root, "made", part.path))
    if told != rows_digest(made, part.index(), datasets):
        raise DamagedError(
            f"{part.path} was changed since it was written (its digest is of other scores): delete "
            "it, and run the eval that made it again"
        )


def _record(line: IndexLine, where: str) -> Record:
    record: Record = json.loads(line.line)["record"]
    try:
        check(record)
    except ValueError as fault:
        raise DamagedError(f"{where}: /index: {fault}") from None
    return record


def _rows(group: h5g.GroupID, name: str, count: int, width: int, where: str) -> Row:
    data = member(group, name, where, h5d.DatasetID)
    wide = name == "scores"
    shape = (count, width) if wide else (count,)
    inspect(data, name, shape, f"{where}/{name}", chunk_rows(count, width) if wide else 0)
    return read(data, f"{where}/{name}")


def check_rows(part: OpenPart) -> Iterator[str]:
    """What is wrong with a part of a store of scores, a line each."""
    try:
        block = _block(part)
        yield from _check_values(part, block)
        views = set(names(part.clips, part.path))
        _require_digest(part, block)
    except (DamagedError, ClipError) as fault:
        yield str(fault)
        return
    for view in views - set(block.scores):
        yield f"{part.path}: /views/{view} has no place in this store"


def _check_values(part: OpenPart, block: Block) -> Iterator[str]:
    whole = np.array(["error" not in record for record in block.records], np.bool_)
    wanted, _ = split([*block.scores])
    for view, rows in block.scores.items():
        bad = whole & unusable(rows)
        if view not in wanted:
            bad &= ~np.isnan(rows).all(1)
        if bad.any():
            id = block.records[int(bad.argmax())]["id"]
            yield f"{part.path}: /views/{view}: scores of clip {id!a} are not numbers"
    for name, found in (("covered", block.covered), ("area", block.area)):
        for view, values in found.items():
            if ((values < 0) | (values > 1)).any():
                yield f"{part.path}: /views/{view}/{name} is not from 0 to 1"


def unusable(rows: Row) -> NDArray[np.bool_]:
    """bool [n]: which rows of scores [n, K] hold NaN or +Infinity."""
    return ~(rows.max(1) < np.inf)
