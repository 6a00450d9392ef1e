"""The statistics of clips, groups, pairs and variants, each with the interval that suits it.

Shares and differences have intervals that are computed (shares.py); the bootstrap is for the rest:
ratios, the worst group, the gap, and means of what is no share. Where all draws of those agree,
the interval is made from the shares' own, so that none has the width 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from sbtools.evaluate.catalogue import CLASS, KIND
from sbtools.evaluate.clips import Clips
from sbtools.evaluate.intervals import Clusters, Estimate, Statistics
from sbtools.evaluate.metric import SHARE, Pairs
from sbtools.evaluate.metrics import Ints
from sbtools.evaluate.shares import EDGE, difference, shares
from sbtools.evaluate.statistics import (
    PLAIN,
    ClipStatistics,
    Column,
    GroupStatistics,
    KindStatistics,
    PairStatistics,
)

Drawing = Callable[[Statistics], Mapping[str, Estimate]]
"""The bootstrap, with its draws and seed."""


def of_clips(
    clips: Clips,
    columns: Mapping[str, Column],
    sources: Clusters,
    drawing: Drawing,
    level: float,
) -> dict[str, Estimate]:
    """Those of `ClipStatistics`, and means over background kinds."""
    found = dict(drawing(ClipStatistics(clips, sources, columns)))
    count, nobody = len(clips.classes), np.zeros(len(clips), np.int64)
    by = {CLASS: clips.labels, KIND: numbered(clips.kinds, len(clips))}
    for name, column in columns.items():
        if name in found and column.row.drawn and not _flat(found[name]):
            continue
        if column.row.unit != SHARE:
            if name in found:
                found[name] = of_ends(found[name], column, nobody, sources, clips.among, level)
            continue
        made = share_of(column, sources, nobody, 1, by.get(column.row.by), level).at(0)
        found[name] = replace(made, value=found[name].value) if name in found else made
    for name, view in clips.views.items():
        each = shares(view.hit, np.ones(len(clips)), sources, clips.labels, count, level)
        found[f"{name}/per_class"] = replace(each, value=found[f"{name}/per_class"].value)
    for name in (name for name in clips.views if name != PLAIN and PLAIN in clips.views):
        gap = clips.views[name].hit - clips.views[PLAIN].hit
        value = found[f"{name}-{PLAIN}"].value
        found[f"{name}-{PLAIN}"] = replace(difference(gap, sources, level=level), value=value)
        top, plain = found[f"{name}/top1"], found[f"{PLAIN}/top1"]
        found[f"{name}:{PLAIN}"] = _divided(found[f"{name}:{PLAIN}"], top, plain)
    return found


def share_of(
    column: Column,
    sources: Clusters,
    keys: Ints,
    groups: int,
    by: Ints | None,
    level: float,
) -> Estimate:
    """The mean of each group, float64 [groups]; of the means of those that have one number in `by`,
    where that is given: each clip weighs 1 / (the clips of its group and number that count)."""
    weights = column.counts
    if by is not None:
        cells = keys * (int(by.max(initial=0)) + 1) + by
        weights = weights / np.maximum(np.bincount(cells, weights), 1.0)[cells]
    return shares(column.values, weights, sources, keys, groups, level)


def numbered(names: Sequence[str], count: int) -> Ints:
    """The place of each name among them, sorted: int64 [count]; no names are all one."""
    place = {name: at for at, name in enumerate(sorted(set(names)))}
    return np.array([place[name] for name in names] or [0] * count, np.int64)


def of_groups(
    clips: Clips, names: Sequence[str], sources: Clusters, drawing: Drawing, level: float
) -> dict[str, Estimate]:
    """Those of `GroupStatistics`."""
    found = dict(drawing(GroupStatistics(clips, names, sources)))
    number = {name: place for place, name in enumerate(names)}
    keys = np.array([number[name] for name in clips.groups], np.int64)
    for name, view in clips.views.items():
        each = shares(view.hit, np.ones(len(clips)), sources, keys, len(names), level)
        each = replace(each, value=found[f"{name}/group"].value)
        found[f"{name}/group"] = each
        worst, gap = found[f"{name}/worst"], found[f"{name}/gap"]
        lows, highs = np.nan_to_num(each.low, nan=0.0), np.nan_to_num(each.high, nan=1.0)
        least, most = each.value == each.value.min(), each.value == each.value.max()
        low, high = lows[least].min(), highs[least].min()
        if _flat(worst):
            found[f"{name}/worst"] = replace(worst, low=low, high=high, method=each.method)
        if _flat(gap):
            ends = np.maximum(lows[most].max() - high, 0.0), highs[most].max() - low
            found[f"{name}/gap"] = replace(gap, low=ends[0], high=ends[1], method=each.method)
    return found


def of_pairs(
    pairs: Pairs,
    columns: Mapping[str, Column],
    keys: Ints,
    groups: int,
    sources: Clusters,
    drawing: Drawing,
    level: float,
) -> dict[str, list[Estimate]]:
    """Those of `PairStatistics`, and means over the background kinds of the counterparts; of each
    key."""
    views = list(pairs.counterparts.views)
    drawn = dict(drawing(PairStatistics(views, keys, groups, sources, columns)))
    kinds = numbered(pairs.counterparts.kinds, len(pairs))
    found = {name: [one.at(place) for place in range(groups)] for name, one in drawn.items()}
    for name, column in columns.items():
        row = column.row
        if row.unit != SHARE:
            continue
        made = share_of(column, sources, keys, groups, kinds if row.by == KIND else None, level)
        if name in drawn:
            made = replace(made, value=drawn[name].value)
        found[name] = [made.at(place) for place in range(groups)]
    for view in views:
        sides = (found[f"{view}/{side}"] for side in ("counterpart", "original"))
        found[f"{view}/ratio"] = [
            _divided(ratio, top, below)
            for ratio, top, below in zip(found[f"{view}/ratio"], *sides, strict=True)
        ]
    return found


def _divided(ratio: Estimate, top: Estimate, below: Estimate) -> Estimate:
    """A ratio whose interval, where all draws agree, is its numerator's."""
    if not _flat(ratio):
        return ratio
    ends = {"low": top.low / below.value, "high": top.high / below.value}
    return replace(ratio, **ends, method=top.method)


def _flat(found: Estimate) -> bool:
    """Whether an interval is there and has no width."""
    return bool(found.high - found.low <= EDGE)


def of_kinds(
    columns: Mapping[str, Column],
    kinds: Ints,
    sources: Clusters,
    drawing: Drawing,
    level: float,
    classes: int,
) -> dict[str, Estimate]:
    """The mean of the means of each background kind, scalars: of shares, and of numbers, which may
    have ends that the number of classes decides."""
    nobody = np.zeros(len(kinds), np.int64)
    numbers = {name: one for name, one in columns.items() if one.row.unit != SHARE}
    drawn = drawing(KindStatistics(numbers, kinds, sources)) if numbers else {}
    return {
        name: of_ends(drawn[name], one, kinds, sources, classes, level)
        if name in drawn
        else share_of(one, sources, nobody, 1, kinds, level).at(0)
        for name, one in columns.items()
    }


def of_ends(
    found: Estimate, column: Column, kinds: Ints, sources: Clusters, classes: int, level: float
) -> Estimate:
    """A number of whose interval all draws agree: where it has ends, that of a share, stretched."""
    least, most = column.row.ends(classes) if column.row.ends else (0.0, 0.0)
    if most <= least or not _flat(found):
        return found
    nobody, span = np.zeros(len(kinds), np.int64), most - least
    scaled = replace(column, values=np.clip((column.values - least) / span, 0.0, 1.0))
    made = share_of(scaled, sources, nobody, 1, kinds, level).at(0)
    low, high = (least + span * end for end in (made.low, made.high))
    return replace(found, low=low, high=high, method=made.method)
