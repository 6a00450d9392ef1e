"""The sections of a result on counterparts: pairs, and variants with their background kinds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sbtools.evaluate.catalogue import METRICS, OF_PAIRS, OF_VARIANTS
from sbtools.evaluate.clips import Clips
from sbtools.evaluate.estimates import means, numbered
from sbtools.evaluate.intervals import Estimate, Sources
from sbtools.evaluate.metric import Pairs
from sbtools.evaluate.metrics import Floats, Ints, top_k_chance
from sbtools.evaluate.sections import (
    Measure,
    counterpart_fields,
    hits,
    measure,
    near_chance,
    numbers,
    own,
    own_values,
    unknown,
)
from sbtools.evaluate.statistics import Column

Columns = Mapping[str, Column]
NO_KIND = "(none)"


class PairSections:
    """What pairs of some kinds come to: `splits` their names, `keys` the place of each pair's."""

    def __init__(
        self,
        splits: Sequence[str],
        keys: Ints,
        columns: Columns,
        found: Mapping[str, Sequence[Estimate]],
    ) -> None:
        self.splits, self.keys, self.columns, self.found = splits, keys, columns, found
        self.counts = {
            name: np.bincount(keys, column.counts, len(splits)) for name, column in columns.items()
        }
        self.places = _places([splits[key] for key in keys.tolist()])

    def pairs(self, pairs: Pairs) -> dict[str, Any]:
        """Flips and hits, and ratios of those that have a variant, by kind of counterparts."""
        named = {*pairs.counterparts.variants} - {""}
        return {
            split: {
                "views": {
                    view: {
                        key: self._measure(view, key, place, pairs)
                        for key in (*OF_PAIRS, *(OF_VARIANTS if split in named else ()))
                    }
                    for view in pairs.counterparts.views
                },
                "per_pair": self._each(pairs, self.places[split]),
            }
            for place, split in enumerate(self.splits)
        }

    def own(self, classes: int) -> dict[str, Measure]:
        """The metrics of packages, NAME_SPLIT, where any pair counts."""
        made = {}
        for name, column in self.columns.items():
            counts = self.counts[name] if column.own else np.zeros(0)
            for place in np.flatnonzero(counts).tolist():
                row, found = column.row, self.found[name][place]
                told = measure(found, int(counts[place]), row.chance(classes))
                made[f"{name}_{self.splits[place]}"] = own(row, told)
        return made

    def _measure(self, view: str, key: str, place: int, pairs: Pairs) -> Measure:
        classes = pairs.counterparts.among
        reason = unknown(METRICS[key], pairs.counterparts)
        if METRICS[key].values is None:
            reason = near_chance(self.found[f"{view}/original"][place], classes)
        counts = self.counts.get(f"{view}/{key}", self.counts[f"{view}/original"])
        found = self.found[f"{view}/{key}"][place]
        return measure(found, int(counts[place]), METRICS[key].chance(classes), reason)

    def _each(self, pairs: Pairs, places: list[int]) -> dict[str, Any]:
        """What a comparison needs of every pair; `id` is the counterpart's."""
        two = pairs.counterparts.take(places)
        flips = {
            view: np.where(column.counts > 0, column.values, np.nan)[places]
            for view in pairs.counterparts.views
            for column in [self.columns[f"{view}/flip"]]
        }
        return {
            "id": two.ids,
            "source": two.sources,
            **counterpart_fields(two),
            "views": {name: {"flip": hits(values)} for name, values in flips.items()},
            **own_values(self.columns, places),
        }


def variants(clips: Sequence[Clips], sources: Sources, level: float) -> dict[str, Any] | None:
    """{VARIANT: {asked, failed, left_out, used, kinds, views}} of all clips that have one; None
    where none has.

    kinds: names and counts of background kinds, those of clips that tell none under "(none)".
    views: by name top1, the mean of the kinds' means, and value, low and high, a list each by
    kind.
    """
    names, kinds = (
        [text for part in clips for text in getattr(part, field) or [""] * len(part)]
        for field in ("variants", "kinds")
    )
    hits = {
        view: np.concatenate([part.views[view].hit for part in clips]) for view in clips[0].views
    }
    gone = {
        what: Counter(told["variant"] for told in getattr(clips[0], what) if "variant" in told)
        for what in ("failed", "excluded")
    }
    made, there = {}, _places(names)
    for variant in sorted({*there, *gone["failed"], *gone["excluded"]} - {""}):
        places = np.array(there.get(variant, []), np.int64)
        failed, left_out = (gone[what][variant] for what in ("failed", "excluded"))
        some = {view: values[places] for view, values in hits.items()} if len(places) else {}
        own = [kinds[at] for at in places.tolist()]
        chance = top_k_chance(clips[0].among)
        made[variant] = {
            "asked": len(places) + failed + left_out,
            "failed": failed,
            "left_out": left_out,
            "used": len(places),
            **_of_variant(some, own, sources.take(places), chance, level),
        }
    return made or None


def _places(names: Sequence[str]) -> dict[str, list[int]]:
    """Where each of the names stands."""
    found: dict[str, list[int]] = {}
    for at, name in enumerate(names):
        found.setdefault(name, []).append(at)
    return found


def _of_variant(
    hits: Mapping[str, Floats], kinds: Sequence[str], sources: Sources, chance: float, level: float
) -> dict[str, Any]:
    codes, views = numbered(kinds, len(kinds)), {}
    for view, values in hits.items():
        each, mean = means(values, codes, sources, level)
        views[view] = {
            "top1": measure(mean, len(values), chance),
            "value": numbers(each.value),
            "low": numbers(each.low),
            "high": numbers(each.high),
            "method": each.method,
        }
    counts = Counter(kinds)
    told = {"names": [name or NO_KIND for name in sorted(counts)]}
    return {"kinds": {**told, "count": [counts[name] for name in sorted(counts)]}, "views": views}
