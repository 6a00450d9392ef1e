"""Where scores come from: stores, records that hold them, or a model that is at work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
from numpy.typing import ArrayLike

from sbtools.errors import RecordError, SbtoolsError, UsageError
from sbtools.records import Record
from sbtools.store import read_rows
from sbtools.store.rows import described
from sbtools.store.rows_reader import Block, Row, what_of

ROWS = 4096
"""Clips of a block of records that hold their scores."""


@dataclass(frozen=True)
class Scores:
    """Scores of clips in every view, block by block; `blocks` can be gone through once.

    classes: K names, in the order of the scores. kind: logits or log-probabilities. views: names,
    in order. origin: where they are kept, None where they are not.
    """

    classes: list[str]
    kind: str
    views: list[str]
    blocks: Iterator[Block]
    origin: str | None = None


def from_stores(folders: Sequence[str], classes: Sequence[str] | None = None) -> Scores:
    """The rows of one or several stores of scores, taken together, each with all its shards.

    UsageError where the stores differ in classes, kind or views, or where `classes` differ from
    theirs; RecordError for an id that two of them hold.
    """
    first, *others = (what_of(folder) for folder in folders)
    for folder, what in zip(folders[1:], others, strict=True):
        for name in ("classes", "kind", "views"):
            if what[name] != first[name]:
                raise UsageError(f"{folder} and {folders[0]} are of different {name}")
    if classes is not None and list(classes) != first["classes"]:
        raise UsageError(
            f"{folders[0]} holds scores of {len(first['classes'])} classes, which are not the "
            f"{len(classes)} that were named, or not in that order"
        )
    blocks = chain.from_iterable(map(read_rows, folders))
    return Scores(
        first["classes"], first["kind"], first["views"], _distinct(blocks), ", ".join(folders)
    )


def _distinct(blocks: Iterable[Block]) -> Iterator[Block]:
    seen: set[str] = set()
    for block in blocks:
        for record in block.records:
            if record["id"] in seen:
                raise RecordError(f"clip {record['id']!a} is in two of the stores")
            seen.add(record["id"])
        yield block


def from_records(records: Iterable[Record], classes: Sequence[str], kind: str = "logits") -> Scores:
    """Records that hold `scores` {view: [K numbers]}, and perhaps `covered` and `area` {view: x}.

    The views are those of the first record that has any; a clip that lacks one of them, or that
    has null among its numbers, has failed. RecordError for scores of another form or number.
    """
    incoming = iter(records)
    skipped: list[Record] = []
    for record in incoming:
        skipped.append(record)
        if isinstance(record.get("scores"), dict) and record["scores"]:
            break
    else:
        raise SbtoolsError(
            "none of the records holds scores: `scores` {view: [numbers]}, one for each class"
        )
    views = list(skipped[-1]["scores"])
    described(classes, kind, views)
    together = chain(skipped, incoming)
    blocks = _blocks(together, views, len(classes))
    return Scores(list(classes), kind, views, blocks)


def _blocks(records: Iterator[Record], views: Sequence[str], width: int) -> Iterator[Block]:
    while some := list(islice(records, ROWS)):
        scores = {view: np.stack([_row(record, view, width) for record in some]) for view in views}
        covered, area = (
            {view: _numbers(some, name, view) for view in views} for name in ("covered", "area")
        )
        known = {view for view in views if np.isfinite(covered[view]).any()}
        bare = [{k: v for k, v in record.items() if k != "scores"} for record in some]
        yield Block(
            bare, scores, *({v: d[v] for v in views if v in known} for d in (covered, area))
        )


def _row(record: Record, view: str, width: int) -> Row:
    given = record.get("scores") or {}
    found = given.get(view) if isinstance(given, dict) else given
    if found is None:
        return np.full(width, np.nan, np.float32)
    try:
        row = np.array([np.nan if value is None else value for value in found], np.float32)
    except (TypeError, ValueError):
        row = np.zeros((0, 0), np.float32)
    if row.shape != (width,):
        seen = f"{len(found)} values" if isinstance(found, list) else "no list"
        raise RecordError(
            f"clip {record['id']!a}: scores of view {view!a} have {seen}, "
            f"there are {width} classes: name the right --classes"
        )
    return row


def _numbers(records: Sequence[Record], name: str, view: str) -> Row:
    found = []
    for record in records:
        given = record.get(name)
        value = given.get(view) if isinstance(given, dict) else None
        if value is not None and not (type(value) in (int, float) and 0 <= value <= 1):
            raise RecordError(f"clip {record['id']!a}: {name} of view {view!a} is not from 0 to 1")
        found.append(np.nan if value is None else value)
    return np.array(found, np.float32)


class Collected:
    """Scores gathered in memory, with the method of a ScoresWriter; `scores` gives them back."""

    def __init__(self, classes: Sequence[str], kind: str, views: Sequence[str]) -> None:
        self._what = described(classes, kind, views)
        self._records: list[Record] = []
        self._rows: dict[str, list[Row]] = {view: [] for view in views}
        self._numbers: dict[str, dict[str, list[float]]] = {
            name: {view: [] for view in views} for name in ("covered", "area")
        }

    def add_scores(
        self,
        record: Record,
        scores: Mapping[str, ArrayLike],
        covered: Mapping[str, float] | None = None,
        area: Mapping[str, float] | None = None,
    ) -> list[Record]:
        """Keep one clip, see ScoresWriter.add_scores; a list of the record is returned."""
        width = len(self._what["classes"])
        nothing = np.full(width, np.nan, np.float32)
        rows = {view: np.asarray(scores.get(view, nothing), np.float32) for view in self._rows}
        missing = [view for view in self._rows if view not in scores and "error" not in record]
        wrong = [view for view, row in rows.items() if row.shape != (width,)]
        if missing or wrong:
            raise ValueError(f"clip {record['id']!a}: scores of view {[*missing, *wrong][0]!a}")
        for view, row in rows.items():
            self._rows[view].append(row)
        for name, given in (("covered", covered), ("area", area)):
            for view, values in self._numbers[name].items():
                values.append((given or {}).get(view, np.nan))
        self._records.append(record)
        return [record]

    def scores(self) -> Scores:
        """All that was added."""
        return Scores(blocks=iter([self._block()] if self._records else []), **self._what)

    def _block(self) -> Block:
        rows = {view: np.stack(rows) for view, rows in self._rows.items()}
        numbers: list[dict[str, Row]] = []
        for by_view in self._numbers.values():
            arrays = {view: np.array(values, np.float32) for view, values in by_view.items()}
            numbers.append({v: a for v, a in arrays.items() if np.isfinite(a).any()})
        return Block(self._records, rows, *numbers)
