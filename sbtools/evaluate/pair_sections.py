"""The section of a result on pairs of clips and their counterparts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sbtools.evaluate.breakdown import Cells, by_cell
from sbtools.evaluate.catalogue import METRICS, OF_PAIRS, OF_VARIANTS
from sbtools.evaluate.intervals import Clusters, Estimate
from sbtools.evaluate.metric import Pairs
from sbtools.evaluate.metrics import Ints
from sbtools.evaluate.sections import (
    Measure,
    counterpart_fields,
    hits,
    measure,
    near_chance,
    own,
    own_values,
    unknown,
)
from sbtools.evaluate.statistics import Column

Columns = Mapping[str, Column]
OF_CELLS = ("original", "counterpart", "contrasted")
"""What pairs of a variant are told of by background kind and by group: the shares between which
contrasted lies, original - counterpart <= contrasted <= original, and itself."""


class PairSections:
    """What pairs of some kinds come to: `splits` their names, `keys` the place of each pair's."""

    def __init__(
        self,
        splits: Sequence[str],
        keys: Ints,
        columns: Columns,
        found: Mapping[str, Sequence[Estimate]],
        sources: Clusters,
        level: float,
    ) -> None:
        self.splits, self.keys, self.columns, self.found = splits, keys, columns, found
        self.sources, self.level = sources, level
        self.counts = {
            name: np.bincount(keys, column.counts, len(splits)) for name, column in columns.items()
        }
        self.places = _places([splits[key] for key in keys.tolist()])

    def pairs(self, pairs: Pairs) -> dict[str, Any]:
        """By kind of counterparts: flips and hits, and of those that have a variant ratios, and
        OF_CELLS by background kind and by group."""
        named = {*pairs.counterparts.variants} - {""}
        made = {}
        for place, split in enumerate(self.splits):
            told = self._cells(pairs, self.places[split]) if split in named else {}
            keys = (*OF_PAIRS, *(OF_VARIANTS if split in named else ()))
            views = {
                view: {
                    **{key: self._measure(view, key, place, pairs) for key in keys},
                    **{what: self._by(view, split, *cells) for what, cells in told.items()},
                }
                for view in pairs.counterparts.views
            }
            names = {what: cells.told() for what, (cells, _) in told.items()}
            each = self._each(pairs, self.places[split])
            made[split] = {"views": views, **names, "per_pair": each}
        return made

    def _cells(self, pairs: Pairs, places: list[int]) -> dict[str, tuple[Cells, Ints | None]]:
        """kinds, and groups where there are any, over each of which its kinds' means are taken."""
        two = pairs.counterparts.take(places)
        kinds = Cells.of(two.kinds)
        groups = {"groups": (Cells.of(two.groups), kinds.codes)} if two.groups else {}
        return {"kinds": (kinds, None), **groups}

    def _by(self, view: str, split: str, cells: Cells, by: Ints | None) -> dict[str, Any]:
        """OF_CELLS of each name; the last with its intervals."""
        places, made = self.places[split], {}
        sources = self.sources.take(np.array(places, np.int64))
        for name in OF_CELLS:
            made[name] = by_cell(
                self.columns[f"{view}/{name}"].take(places), sources, cells, self.level, by
            )
        return {name: one if name == "contrasted" else one["value"] for name, one in made.items()}

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


def _places(names: Sequence[str]) -> dict[str, list[int]]:
    """Where each of the names stands."""
    found: dict[str, list[int]] = {}
    for at, name in enumerate(names):
        found.setdefault(name, []).append(at)
    return found
