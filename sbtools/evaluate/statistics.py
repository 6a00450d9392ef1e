"""All metrics of a set of clips as functions of how often each source was drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.evaluate.clips import Clips
from sbtools.evaluate.intervals import Sources, Sums, ratio
from sbtools.evaluate.metrics import Floats, Ints, agreement, both

PLAIN = "plain"


class Table:
    """Named columns float64 [N], and their weighted sums."""

    def __init__(self) -> None:
        self._columns: dict[str, Floats] = {}

    def __setitem__(self, name: str, values: NDArray[Any]) -> None:
        self._columns[name] = np.asarray(values, np.float64)

    def sums(self, sources: Sources, keys: Ints, groups: int) -> Sums:
        """The sums over the clips of each group."""
        return Sums(np.stack(list(self._columns.values()), 1), sources, keys, groups)

    def __len__(self) -> int:
        return len(self._columns)

    def named(self, sums: Floats) -> dict[str, Floats]:
        """Sums [..., M] as [...] by the name of their column."""
        return {name: sums[..., place] for place, name in enumerate(self._columns)}


class ClipStatistics:
    """Of weights [B, G]: VIEW/top1, VIEW/top5, VIEW/mean_class [B], VIEW/per_class [B, K], and, of
    views that have it, VIEW/frames, area, empty, covered; VIEW/shacc, sberr, bg_wins; and, for each
    view beside plain, VIEW-plain and VIEW:plain, the difference and the ratio of top1."""

    def __init__(self, clips: Clips, sources: Sources) -> None:
        self._views = list(clips.views)
        self._table = table = Table()
        table["clips"] = np.ones(len(clips))
        other = clips.background >= 0
        table["other"] = other
        self._masked = [n for n, v in clips.views.items() if np.isfinite(v.covered).any()]
        for name, view in clips.views.items():
            table[f"{name}/hit"], table[f"{name}/top5"] = view.hit, view.top5
            table[f"{name}/sberr"], table[f"{name}/wins"] = view.background, view.wins
            table[f"{name}/shacc"] = view.hit * other
            if name in self._masked:
                self._cover(name, clips)
        self._sums = table.sums(sources, clips.labels, len(clips.classes))
        self.width = len(table) * len(clips.classes)
        self._other = bool(other.any())

    def _cover(self, name: str, clips: Clips) -> None:
        view, table = clips.views[name], self._table
        known = np.isfinite(view.covered)
        some = known & (view.covered > 0)
        sized = np.isfinite(view.area)
        table[f"{name}/known"], table[f"{name}/some"] = known, some
        table[f"{name}/frames"] = np.where(known, view.covered, 0.0)
        table[f"{name}/sized"], table[f"{name}/area"] = sized, np.where(sized, view.area, 0.0)
        table[f"{name}/hit of some"] = view.hit * some

    def __call__(self, weights: Floats) -> dict[str, Floats]:
        """The statistics of each row of weights."""
        by_class = self._sums(weights)
        of_class, total = self._table.named(by_class), self._table.named(by_class.sum(1))
        found: dict[str, Floats] = {}
        for view in self._views:
            found[f"{view}/top1"] = ratio(total[f"{view}/hit"], total["clips"])
            found[f"{view}/top5"] = ratio(total[f"{view}/top5"], total["clips"])
            per_class = ratio(of_class[f"{view}/hit"], of_class["clips"])
            found[f"{view}/per_class"] = per_class
            found[f"{view}/mean_class"] = mean_of_defined(per_class)
            if self._other:
                found |= _background(view, total)
            if view in self._masked:
                found |= _coverage(view, total)
        for view in self._views:
            if view != PLAIN and PLAIN in self._views:
                pair = found[f"{view}/top1"], found[f"{PLAIN}/top1"]
                found[f"{view}-{PLAIN}"] = pair[0] - pair[1]
                found[f"{view}:{PLAIN}"] = ratio(*pair)
        return found


def _background(view: str, total: Mapping[str, Floats]) -> dict[str, Floats]:
    return {
        f"{view}/shacc": ratio(total[f"{view}/shacc"], total["other"]),
        f"{view}/sberr": ratio(total[f"{view}/sberr"], total["other"]),
        f"{view}/bg_wins": ratio(total[f"{view}/wins"], total["other"]),
    }


def _coverage(view: str, total: Mapping[str, Floats]) -> dict[str, Floats]:
    known, some = total[f"{view}/known"], total[f"{view}/some"]
    return {
        f"{view}/frames": ratio(total[f"{view}/frames"], known),
        f"{view}/area": ratio(total[f"{view}/area"], total[f"{view}/sized"]),
        f"{view}/empty": ratio(known - some, known),
        f"{view}/covered": ratio(total[f"{view}/hit of some"], some),
    }


def mean_of_defined(values: Floats) -> Floats:
    """The mean over the last axis of what is not NaN; NaN where nothing is."""
    known = np.isfinite(values)
    return ratio(np.where(known, values, 0.0).sum(-1), known.sum(-1).astype(np.float64))


class GroupStatistics:
    """Of weights [B, G]: VIEW/group [B, groups], VIEW/worst and VIEW/gap [B].

    worst is the lowest top1 of a group, gap the highest less the lowest.
    """

    def __init__(self, clips: Clips, names: Sequence[str], sources: Sources) -> None:
        number = {name: place for place, name in enumerate(names)}
        keys = np.array([number[name] for name in clips.groups], np.int64)
        self._table = Table()
        self._table["clips"] = np.ones(len(clips))
        for name, view in clips.views.items():
            self._table[name + "/"] = view.hit
        self._views = list(clips.views)
        self.width = len(self._table) * len(names)
        self._sums = self._table.sums(sources, keys, len(names))

    def __call__(self, weights: Floats) -> dict[str, Floats]:
        """The statistics of each row of weights."""
        sums = self._table.named(self._sums(weights))
        found: dict[str, Floats] = {}
        for view in self._views:
            values = ratio(sums[view + "/"], sums["clips"])
            absent = np.isnan(values)
            worst = np.where(absent, np.inf, values).min(1)
            best = np.where(absent, -np.inf, values).max(1)
            found[f"{view}/group"] = values
            found[f"{view}/worst"], found[f"{view}/gap"] = worst, best - worst
        return found


class PairStatistics:
    """Of weights [B, G], for clips and their counterparts of each split: VIEW/flip, VIEW/both,
    VIEW/original and VIEW/counterpart [B, splits].

    flip is the share of pairs that get different answers, both of those where both are right.
    """

    def __init__(
        self, originals: Clips, counterparts: Clips, splits: Sequence[str], sources: Sources
    ) -> None:
        number = {name: place for place, name in enumerate(splits)}
        keys = np.array([number[name] for name in counterparts.splits], np.int64)
        self._table = Table()
        self._table["pairs"] = np.ones(len(keys))
        self._views = list(originals.views)
        for name in self._views:
            one, two = originals.views[name], counterparts.views[name]
            self._table[f"{name}/flip"] = 1.0 - agreement(one.answers, two.answers)
            self._table[f"{name}/both"] = both(
                one.answers, originals.labels, two.answers, counterparts.labels
            )
            self._table[f"{name}/original"] = one.hit
            self._table[f"{name}/counterpart"] = two.hit
        self.width = len(self._table) * len(splits)
        self._sums = self._table.sums(sources, keys, len(splits))

    def __call__(self, weights: Floats) -> dict[str, Floats]:
        """The statistics of each row of weights."""
        sums = self._table.named(self._sums(weights))
        pairs = sums.pop("pairs")
        return {name: ratio(values, pairs) for name, values in sums.items()}
