"""Writing stores of scores: a row a clip in every view, many clips a part."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sbtools.errors import RecordError, UsageError
from sbtools.records import Record, key_of
from sbtools.store.band_views import split
from sbtools.store.datasets import write_small
from sbtools.store.layout import DTYPES, Kind, chunk_rows
from sbtools.store.part import Part, index_line
from sbtools.store.rows_digest import rows_digest
from sbtools.store.writer import StoreWriter

SCORE_KINDS = ("logits", "log-probabilities")


class ScoresWriter(StoreWriter):
    """Adds rows to a store of scores, which it makes or continues; use it in a `with`.

    classes: K names. kind: logits or log-probabilities. views: names, without "/". what and the
    other options are those of StoreWriter. `done` holds the clips that need no second look; those
    that failed are among them as a shard of many alone, unless `retry_failed`.
    """

    def __init__(
        self,
        folder: str,
        classes: Sequence[str],
        kind: str,
        views: Sequence[str],
        what: Mapping[str, Any],
        run: Mapping[str, Any],
        part_clips: int = 4096,
        **options: Any,
    ) -> None:
        told = {**what, **described(classes, kind, views)}
        self._views, self._width = list(views), len(classes)
        self._wanted, _ = split(views)
        super().__init__(folder, "scores", told, run, part_clips=part_clips, **options)
        shard, again = options.get("shard", (0, 1)), options.get("retry_failed", False)
        if shard[1] == 1 or again:
            self.done = {id: clip for id, clip in self.done.items() if "error" not in clip.record}

    def add_scores(
        self,
        record: Record,
        scores: Mapping[str, ArrayLike],
        covered: Mapping[str, float] | None = None,
        area: Mapping[str, float] | None = None,
    ) -> list[Record]:
        """Store the scores [K] of one clip in every view; the records now committed are returned.

        A record with `error` may lack views, and any record those of `sbtools.store.band_views`.
        covered, area: 0 to 1, of masked views.
        """
        missing = [view for view in self._wanted if view not in scores]
        if missing and "error" not in record:
            raise ValueError(f"clip {record['id']!a} has no scores in view {missing[0]!a}")
        if self._part is None:
            self._start_part()
        part = self._part
        assert isinstance(part, RowsPart)
        if part.holds(record["id"]):
            raise RecordError(f"clip {record['id']!a} was already stored by this run")
        part.add_row(record, scores, covered or {}, area or {}, self._places.get(record["id"]))
        self._places[record["id"]] = os.path.basename(part.path)
        return self._advance(record)

    def _new_part(self, name: str) -> Part:
        return RowsPart(self.folder, name, self.kind, self._views, self._width)


def described(classes: Sequence[str], kind: str, views: Sequence[str]) -> dict[str, Any]:
    """What `made.what` of a store of scores must say; UsageError for what cannot be."""
    if len(set(classes)) != len(classes) or not classes:
        raise UsageError("the classes must be at least one, each named once")
    if kind not in SCORE_KINDS:
        raise UsageError(f"scores are {' or '.join(SCORE_KINDS)}, not '{kind}'")
    for view in views:
        if not view or "/" in view or not view.isascii() or view.strip(".") == "":
            raise UsageError(f"'{view}' cannot be the name of a view")
    if not views or len(set(views)) != len(views):
        raise UsageError("the views must be at least one, each named once")
    return {"classes": list(classes), "kind": kind, "views": list(views)}


class RowsPart(Part):
    """Rows on their way into folder/name; they are held in memory until `commit`."""

    def __init__(
        self, folder: str, name: str, kind: Kind, views: Sequence[str], width: int
    ) -> None:
        super().__init__(folder, name, kind, None)
        self._width = width
        self._rows: dict[str, dict[str, list[Any]]] = {
            view: {dataset: [] for dataset in kind.datasets} for view in views
        }

    @property
    def size(self) -> int:
        """Bytes that the rows will take."""
        return len(self) * len(self._rows) * self._width * DTYPES["scores"].itemsize

    def add_row(
        self,
        record: Record,
        scores: Mapping[str, ArrayLike],
        covered: Mapping[str, float],
        area: Mapping[str, float],
        supersedes: str | None,
    ) -> None:
        """Hold one clip; ValueError for scores of another number of classes."""
        line = index_line(record, None, supersedes)
        nothing = np.full(self._width, np.nan, DTYPES["scores"])
        rows = {
            view: np.asarray(scores.get(view, nothing), DTYPES["scores"]) for view in self._rows
        }
        for view, row in rows.items():
            if row.shape != (self._width,):
                raise ValueError(f"clip {record['id']!a}: view {view!a} has scores {row.shape}")
        for view, held in self._rows.items():
            held["scores"].append(rows[view])
            held["covered"].append(covered.get(view, np.nan))
            held["area"].append(area.get(view, np.nan))
        self._list(key_of(record["id"]), line)

    def _finish(self, made: str, index: bytes) -> dict[str, str]:
        written: dict[str, dict[str, NDArray[np.float32]]] = {n: {} for n in self._kind.datasets}
        for view, held in self._rows.items():
            group = self._clips.create_group(view)
            rows = written["scores"][view] = np.stack(held["scores"])
            chunk = (chunk_rows(*rows.shape), self._width)
            group.create_dataset("scores", data=rows, chunks=chunk, fletcher32=True)
            for name in ("covered", "area"):
                values = np.array(held[name], DTYPES[name])
                if not np.isnan(values).all():
                    write_small(group, name, values)
                    written[name][view] = values
        return {"digest": rows_digest(made, index, written)}
