"""How far the numbers of masked views move with their masks: the band of a measure.

Every number of such a view is computed as if the masks had been dilated, eroded, or those of
another store, over the same clips; its band reaches from the least to the most of it and of these.
It says nothing of other clips, as an interval does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sbtools.evaluate import statistics
from sbtools.evaluate.catalogue import ACCURACY, PARTS, PLAIN, rows
from sbtools.evaluate.clips import Clips, View
from sbtools.evaluate.intervals import Clusters
from sbtools.evaluate.metrics import Floats, Ints
from sbtools.evaluate.sections import Measure, number

Numbers = Mapping[str, Floats]


def tell(told: Mapping[str, Any], clips: Clips, sources: Clusters) -> None:
    """Put `band` into the measures of `told`, the sections of a result, that are of a view which
    was shown under other masks: of the view, its difference, its ratio, and metrics of packages."""
    for view, beside in clips.beside.items():
        kinds = {kind: seen for kind, seen in beside.items() if np.isfinite(seen.hit).any()}
        if not kinds:
            continue
        places = shown(list(kinds.values()))
        some = clips.take(places)
        ours = sources.take(places)
        given = _numbers(some, ours, view, some.views[view])
        others = {kind: _numbers(some, ours, view, some.beside[view][kind]) for kind in kinds}
        for name, measure in _measures(told, view):
            found = _band(name, given, others, len(places))
            if found and measure["value"] is not None:
                measure["band"] = found


def shown(kinds: Sequence[View]) -> Ints:
    """The places of the clips that have scores under all of these masks."""
    known = np.stack([np.isfinite(seen.hit) for seen in kinds]).all(0)
    return np.flatnonzero(known)


def _numbers(clips: Clips, sources: Clusters, view: str, seen: View) -> Numbers:
    """All numbers of a view, as if the masks had been those that it is `seen` under."""
    plain = {PLAIN: clips.views[PLAIN]} if PLAIN in clips.views else {}
    as_if = replace(clips, views={**plain, view: seen}, beside={})
    columns = statistics.of_clips(as_if)
    every = np.ones((1, sources.count))
    return statistics.ClipStatistics(as_if, sources, columns)(every)


def _measures(told: Mapping[str, Any], view: str) -> Iterator[tuple[str, Measure]]:
    """Those of the view, by the names that its numbers have."""
    for part in PARTS:
        section = told["views"][view]
        section = section if part == ACCURACY else section.get(part) or {}
        yield from ((f"{view}/{name}", section[name]) for name, _ in rows("clips", part)
                    if name in section)  # fmt: skip
    for mark, section in (("-", "differences"), (":", "ratios")):
        yield from ((f"{view}{mark}{one['versus']}", one) for one in told[section]
                    if one["view"] == view)  # fmt: skip
    yield from ((name, one) for name, one in told["own"].items() if one["view"] == view)


def _band(
    name: str, given: Numbers, others: Mapping[str, Numbers], count: int
) -> dict[str, Any] | None:
    """None where a number is not told under the masks as given, or under none of the others."""
    values = {kind: number(found[name][0]) for kind, found in others.items() if name in found}
    value = number(given[name][0]) if name in given else None
    known = [one for one in values.values() if one is not None]
    if value is None or not known:
        return None
    ends = {"low": min(value, *known), "high": max(value, *known)}
    return {**ends, "value": value, "count": count, "of": values}
