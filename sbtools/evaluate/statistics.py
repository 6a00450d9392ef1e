"""All metrics of a set of clips as functions of how often each source was drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.evaluate.catalogue import CLASS, KIND, PARTS, PLAIN, added, rows
from sbtools.evaluate.clips import Clips
from sbtools.evaluate.intervals import Clusters, Sums, ratio
from sbtools.evaluate.metric import Metric, Pairs
from sbtools.evaluate.metrics import Floats, Ints

__all__ = [
    "PLAIN",
    "ClipStatistics",
    "Column",
    "GroupStatistics",
    "KindStatistics",
    "PairStatistics",
    "joined",
]


@dataclass(frozen=True)
class Column:
    """A row of METRICS on some clips or pairs: float64 [N], 0 where one does not count.

    counts: float64 [N], 1 or 0. own: whether it is of a package.
    """

    row: Metric
    values: Floats
    counts: Floats
    own: bool = False

    @classmethod
    def of(
        cls, name: str, row: Metric, what: Clips | Pairs, view: str, own: bool = False
    ) -> Column:
        """What the row says of each in a view."""
        found = row.measured(name, what, view)
        lacking = (what if isinstance(what, Clips) else what.counterparts).lacking
        known = np.isfinite(found) & (row.needs not in lacking)
        return cls(row, np.where(known, found, 0.0), known.astype(np.float64), own)

    def take(self, places: Sequence[int]) -> Column:
        """Of some of the clips or pairs."""
        some = list(places)
        return replace(self, values=self.values[some], counts=self.counts[some])

    @property
    def number(self) -> int:
        """Of those that count."""
        return int(self.counts.sum())


def joined(parts: Sequence[Column]) -> Column:
    """Columns of one row on several clips, one after another."""
    values = np.concatenate([part.values for part in parts])
    return replace(parts[0], values=values, counts=np.concatenate([p.counts for p in parts]))


def of_clips(clips: Clips) -> dict[str, Column]:
    """VIEW/NAME of what is told of every view, and NAME of what packages add and clips bring."""
    found = {
        f"{view}/{name}": Column.of(name, row, clips, view)
        for view in clips.views
        for part, there in PARTS.items()
        if there(clips, view)
        for name, row in rows("clips", part)
    }
    more = _added("clips", clips, clips.views)
    return found | {k: one for k, one in more if one.number or one.row.needs in clips.lacking}


def of_pairs(pairs: Pairs) -> dict[str, Column]:
    """VIEW/NAME of pairs, and NAME of what packages add."""
    views = pairs.counterparts.views
    found = {
        f"{view}/{name}": Column.of(name, row, pairs, view)
        for view in views
        for name, row in rows("pairs")
        if row.values is not None
    }
    return found | dict(_added("pairs", pairs, views))


def _added(of: str, what: Clips | Pairs, views: Mapping[str, Any]) -> Iterator[tuple[str, Column]]:
    for name, row in added().items():
        if row.of == of and all(view in views for view in row.views):
            yield name, Column.of(name, row, what, row.views[0], own=True)


class Table:
    """Columns float64 [N], each once, and their weighted sums."""

    def __init__(self) -> None:
        self._columns: list[Floats] = []
        self._places: dict[bytes, int] = {}

    def put(self, values: NDArray[Any]) -> int:
        """The place of a column among the sums."""
        column = np.ascontiguousarray(values, np.float64)
        place = self._places.setdefault(column.tobytes(), len(self._columns))
        if place == len(self._columns):
            self._columns.append(column)
        return place

    def sums(self, sources: Clusters, keys: Ints, groups: int) -> Sums:
        """The sums [..., M] over the clips of each group."""
        return Sums(np.stack(self._columns, 1), sources, keys, groups)

    def __len__(self) -> int:
        return len(self._columns)


class ClipStatistics:
    """Of weights [B, G]: what `columns` name [B], VIEW/per_class [B, K]; and, for each view beside
    plain, VIEW-plain and VIEW:plain, the difference and the ratio of top1.

    A mean over background kinds is not among them.
    """

    def __init__(self, clips: Clips, sources: Clusters, columns: Mapping[str, Column]) -> None:
        self._views, self._table = list(clips.views), Table()
        self._parts = {
            name: (one.row.by, self._table.put(one.values), self._table.put(one.counts))
            for name, one in columns.items()
            if one.row.by != KIND
        }
        self._sums = self._table.sums(sources, clips.labels, len(clips.classes))
        self.width = len(self._table) * len(clips.classes)

    def __call__(self, weights: Floats) -> dict[str, Floats]:
        """The statistics of each row of weights."""
        by_class = self._sums(weights)
        total = by_class.sum(1)
        found: dict[str, Floats] = {}
        for name, (by, value, count) in self._parts.items():
            sums = by_class if by == CLASS else total
            shares = ratio(sums[..., value], sums[..., count])
            found[name] = mean_of_defined(shares) if by == CLASS else shares
        for view in self._views:
            _, value, count = self._parts[f"{view}/top1"]
            found[f"{view}/per_class"] = ratio(by_class[..., value], by_class[..., count])
            if view != PLAIN and PLAIN in self._views:
                pair = found[f"{view}/top1"], found[f"{PLAIN}/top1"]
                found[f"{view}-{PLAIN}"] = pair[0] - pair[1]
                found[f"{view}:{PLAIN}"] = ratio(*pair)
        return found


def mean_of_defined(values: Floats) -> Floats:
    """The mean over the last axis of what is not NaN; NaN where nothing is."""
    known = np.isfinite(values)
    return ratio(np.where(known, values, 0.0).sum(-1), known.sum(-1).astype(np.float64))


class KindStatistics:
    """Of weights [B, G]: what `columns` name [B], each the mean of the means of the background
    kinds that have clips."""

    def __init__(self, columns: Mapping[str, Column], kinds: Ints, sources: Clusters) -> None:
        table, count = Table(), int(kinds.max(initial=0)) + 1
        self._parts = {
            name: (table.put(one.values), table.put(one.counts)) for name, one in columns.items()
        }
        self.width = len(table) * count
        self._sums = table.sums(sources, kinds, count)

    def __call__(self, weights: Floats) -> dict[str, Floats]:
        """The statistics of each row of weights."""
        sums = self._sums(weights)
        return {
            name: mean_of_defined(ratio(sums[..., value], sums[..., count]))
            for name, (value, count) in self._parts.items()
        }


class GroupStatistics:
    """Of weights [B, G]: VIEW/group [B, groups], VIEW/worst and VIEW/gap [B].

    worst is the lowest top1 of a group, gap the highest less the lowest.
    """

    def __init__(self, clips: Clips, names: Sequence[str], sources: Clusters) -> None:
        number = {name: place for place, name in enumerate(names)}
        keys = np.array([number[name] for name in clips.groups], np.int64)
        table = Table()
        self._clips = table.put(np.ones(len(clips)))
        self._hits = {name: table.put(view.hit) for name, view in clips.views.items()}
        self.width = len(table) * len(names)
        self._sums = table.sums(sources, keys, len(names))

    def __call__(self, weights: Floats) -> dict[str, Floats]:
        """The statistics of each row of weights."""
        sums = self._sums(weights)
        found: dict[str, Floats] = {}
        for view, hits in self._hits.items():
            values = ratio(sums[..., hits], sums[..., self._clips])
            absent = np.isnan(values)
            worst = np.where(absent, np.inf, values).min(1)
            best = np.where(absent, -np.inf, values).max(1)
            found[f"{view}/group"] = values
            found[f"{view}/worst"], found[f"{view}/gap"] = worst, best - worst
        return found


class PairStatistics:
    """Of weights [B, G], by the key of each pair [B, keys]: what `columns` name, and VIEW/ratio,
    top1 of the counterparts divided by that of the originals.

    A mean over background kinds is not among them.
    """

    def __init__(
        self,
        views: Sequence[str],
        keys: Ints,
        groups: int,
        sources: Clusters,
        columns: Mapping[str, Column],
    ) -> None:
        table = Table()
        self._views = views
        self._parts = {
            name: (table.put(one.values), table.put(one.counts))
            for name, one in columns.items()
            if one.row.by != KIND
        }
        self.width = len(table) * groups
        self._sums = table.sums(sources, keys, groups)

    def __call__(self, weights: Floats) -> dict[str, Floats]:
        """The statistics of each row of weights."""
        sums = self._sums(weights)
        found = {
            name: ratio(sums[..., value], sums[..., count])
            for name, (value, count) in self._parts.items()
        }
        for view in self._views:
            sides = (self._parts[f"{view}/{side}"][0] for side in ("counterpart", "original"))
            found[f"{view}/ratio"] = ratio(*(sums[..., side] for side in sides))
        return found
