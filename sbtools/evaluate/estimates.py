"""The statistics of clips, groups and pairs, each with the interval that suits it.

Shares and differences have intervals that are computed (shares.py); the bootstrap is for the rest:
ratios, the worst group, the gap, and means of what is no share. Where all draws of those agree,
the interval is made from the shares' own, so that none has the width 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sbtools.evaluate.clips import Clips, View
from sbtools.evaluate.intervals import Estimate, Sources, Statistics
from sbtools.evaluate.metrics import Floats, agreement, both
from sbtools.evaluate.shares import EDGE, difference, shares
from sbtools.evaluate.statistics import PLAIN, ClipStatistics, GroupStatistics, PairStatistics

Drawing = Callable[[Statistics], Mapping[str, Estimate]]
"""The bootstrap, with its draws and seed."""


def of_clips(clips: Clips, sources: Sources, drawing: Drawing, level: float) -> dict[str, Estimate]:
    """Those of `ClipStatistics`."""
    found = dict(drawing(ClipStatistics(clips, sources)))
    for name, view in clips.views.items():
        own = _of_view(view, clips, sources, level)
        for part, made in own.items():
            key = f"{name}/{part}"
            drawn = part in ("frames", "area")
            if key in found and (not drawn or _flat(found[key])):
                found[key] = replace(made, value=found[key].value)
    if PLAIN in clips.views:
        for name in (name for name in clips.views if name != PLAIN):
            gap = clips.views[name].hit - clips.views[PLAIN].hit
            value = found[f"{name}-{PLAIN}"].value
            found[f"{name}-{PLAIN}"] = replace(difference(gap, sources, level=level), value=value)
            ratio = found[f"{name}:{PLAIN}"]
            if _flat(ratio):
                top, plain = found[f"{name}/top1"], found[f"{PLAIN}/top1"].value
                found[f"{name}:{PLAIN}"] = replace(
                    ratio, low=top.low / plain, high=top.high / plain, method=top.method
                )
    return found


def _of_view(view: View, clips: Clips, sources: Sources, level: float) -> dict[str, Estimate]:
    ones = np.ones(len(clips))
    counts = np.bincount(clips.labels, minlength=len(clips.classes))
    other = np.where(clips.background >= 0, 1.0, 0.0)
    known, sized = (np.isfinite(values) for values in (view.covered, view.area))
    some = known & (view.covered > 0)

    def share(values: Floats, weights: NDArray[np.generic]) -> Estimate:
        return shares(values, weights.astype(np.float64), sources, level=level).at(0)

    return {
        "top1": share(view.hit, ones),
        "top5": share(view.top5, ones),
        "mean_class": share(view.hit, 1 / counts[clips.labels]),
        "per_class": shares(view.hit, ones, sources, clips.labels, len(counts), level),
        "shacc": share(view.hit, other),
        "sberr": share(view.background, other),
        "bg_wins": share(view.wins, other),
        "frames": share(np.where(known, view.covered, 0.0), known),
        "area": share(np.where(sized, view.area, 0.0), sized),
        "empty": share(np.where(some, 0.0, 1.0), known),
        "covered": share(view.hit, some),
    }


def of_groups(
    clips: Clips, names: Sequence[str], sources: Sources, drawing: Drawing, level: float
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
    originals: Clips,
    counterparts: Clips,
    splits: Sequence[str],
    sources: Sources,
    drawing: Drawing,
    level: float,
) -> dict[str, Estimate]:
    """Those of `PairStatistics`."""
    found = dict(drawing(PairStatistics(originals, counterparts, splits, sources)))
    number = {name: place for place, name in enumerate(splits)}
    keys = np.array([number[name] for name in counterparts.splits], np.int64)
    ones = np.ones(len(keys))
    for name in originals.views:
        one, two = originals.views[name], counterparts.views[name]
        right = both(one.answers, originals.labels, two.answers, counterparts.labels)
        columns = {
            "flip": 1.0 - agreement(one.answers, two.answers),
            "both": right,
            "original": one.hit,
            "counterpart": two.hit,
        }
        for part, values in columns.items():
            each = shares(values, ones, sources, keys, len(splits), level)
            key = f"{name}/{part}"
            found[key] = replace(each, value=found[key].value)
    return found


def _flat(found: Estimate) -> bool:
    """Whether an interval is there and has no width."""
    return bool(found.high - found.low <= EDGE)
