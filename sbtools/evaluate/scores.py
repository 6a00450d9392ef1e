"""Where scores come from: stores, records that hold them, or a model that is at work."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sbtools.errors import RecordError, SbtoolsError, UsageError
from sbtools.records import Record
from sbtools.store import read_rows
from sbtools.store.band_views import split
from sbtools.store.rows import described
from sbtools.store.rows_reader import Block, Row, what_of

log = logging.getLogger("sbtools")
ROWS = 4096
"""Clips of a block of records that hold their scores."""


@dataclass(frozen=True)
class Scores:
    """Scores of clips in every view, block by block; `blocks` can be gone through once.

    classes: K names, in the order of the scores. kind: logits or log-probabilities. views: names,
    in order. origin: where they are kept, None where they are not. choices: each clip may be any of
    the classes.
    """

    classes: list[str]
    kind: str
    views: list[str]
    blocks: Iterator[Block]
    origin: str | None = None
    choices: None = None


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


def noting(scores: Scores, ids: set[str]) -> Scores:
    """The same scores, whose ids are put into `ids` as they are gone through."""

    def blocks() -> Iterator[Block]:
        for block in scores.blocks:
            ids.update(record["id"] for record in block.records)
            yield block

    return replace(scores, blocks=blocks())


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

    The views are those that any record without an error has. A clip that lacks one of them, or has
    null among its numbers, has failed; a warning names the first that lacks one. All scores are
    read at once, as float32.
    RecordError for scores of another form or number, or beyond float32.
    """
    incoming, parts = iter(records), []
    lists: dict[tuple[str, ...], str] = {}
    of_failed: dict[tuple[str, ...], str] = {}
    while some := list(islice(incoming, ROWS)):
        for record in some:
            own, told = tuple(_given(record)), of_failed if "error" in record else lists
            told[own] = min(record["id"], told.get(own, record["id"]))
        parts.append(_part(some, len(classes)))
    views = _ordered(lists) or _ordered(of_failed)
    if not views:
        raise SbtoolsError(
            "none of the records holds scores: `scores` {view: [numbers]}, one for each class"
        )
    described(classes, kind, views)
    _warn_lacking(parts, split(views)[0])
    return Scores(list(classes), kind, views, _blocks(parts, views, len(classes)))


def _ordered(lists: Mapping[tuple[str, ...], str]) -> list[str]:
    """All views of lists of them, each with the lowest id that has it, whatever their order: as the
    longest list has them, then the others by name."""
    longest = min(lists, key=lambda views: (-len(views), lists[views]), default=())
    return [*longest, *sorted(set(chain.from_iterable(lists)) - {*longest})]


def _given(record: Record) -> dict[str, Any]:
    found = record.get("scores") or {}
    if not isinstance(found, dict):
        raise RecordError(f"clip {record['id']!a}: scores are no object, {{view: [numbers]}}")
    return found


def _part(records: Sequence[Record], width: int) -> Block:
    """Records without their scores, and rows of the views that any of them has."""
    views = list(dict.fromkeys(chain.from_iterable(map(_given, records))))
    scores = {view: np.stack([_row(record, view, width) for record in records]) for view in views}
    covered, area = (
        {view: _numbers(records, name, view) for view in views} for name in ("covered", "area")
    )
    bare = [{k: v for k, v in record.items() if k != "scores"} for record in records]
    return Block(bare, scores, covered, area)


def _warn_lacking(parts: Sequence[Block], views: Sequence[str]) -> None:
    """One line about records that lack some of the views."""
    lacking: dict[str, str] = {}
    for part in parts:
        whole = np.full(len(part.records), True)
        none = {view: np.isnan(part.scores[view]).all(1) for view in part.scores}
        for view in views:
            for place in np.flatnonzero(none.get(view, whole)).tolist():
                if "error" not in part.records[place]:
                    lacking.setdefault(part.records[place]["id"], view)
    if lacking:
        id = min(lacking)
        log.warning(
            "%d records lack scores of a view that others have, first %s of %s: they have failed",
            len(lacking), id, lacking[id],
        )  # fmt: skip


def _blocks(parts: Sequence[Block], views: Sequence[str], width: int) -> Iterator[Block]:
    for part in parts:
        nothing = np.full((len(part.records), width), np.nan, np.float32)
        scores = {view: part.scores.get(view, nothing) for view in views}
        known = [
            {view: values for view, values in each.items() if np.isfinite(values).any()}
            for each in (part.covered, part.area)
        ]
        yield Block(part.records, scores, *known)


def _row(record: Record, view: str, width: int) -> Row:
    found = _given(record).get(view)
    if found is None:
        return np.full(width, np.nan, np.float32)
    try:
        exact = np.array([np.nan if value is None else value for value in found], np.float64)
    except (TypeError, ValueError, OverflowError):
        exact = np.zeros((0, 0))
    if exact.shape != (width,):
        seen = f"{len(found)} values" if isinstance(found, list) else "no list"
        raise RecordError(
            f"clip {record['id']!a}: scores of view {view!a} have {seen}, "
            f"there are {width} classes: name the right --classes"
        )
    with np.errstate(over="ignore"):
        row = exact.astype(np.float32)
    beyond = np.isfinite(exact) & ~np.isfinite(row)
    if beyond.any():
        raise RecordError(
            f"clip {record['id']!a}: score {exact[beyond][0]:g} of view {view!a} is beyond "
            f"{np.finfo(np.float32).max:.3g}, the most of float32: divide all scores by one number"
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
        wanted, _ = split([*self._rows])
        missing = [view for view in wanted if view not in scores and "error" not in record]
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
