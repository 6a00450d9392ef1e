"""The section of a result on variants of clips, by background kind and by group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from sbtools.evaluate import estimates
from sbtools.evaluate.breakdown import Cells, by_cell
from sbtools.evaluate.catalogue import METRICS, rows
from sbtools.evaluate.clips import Clips
from sbtools.evaluate.estimates import Drawing
from sbtools.evaluate.intervals import Clusters, ratio
from sbtools.evaluate.metric import Metric
from sbtools.evaluate.metrics import Ints
from sbtools.evaluate.sections import Measure, measure, numbers, unknown
from sbtools.evaluate.statistics import Column, joined


def variants(
    parts: Sequence[Clips], sources: Clusters, drawing: Drawing, level: float
) -> dict[str, Any] | None:
    """{VARIANT: {asked, failed, left_out, used, kinds, groups, views}} of all clips that have one;
    None where none has.

    kinds, groups: names and counts of background kinds, those of clips that tell none under
    "(none)", and of the groups, where clips have them. views: by name top1, the mean of the kinds'
    means; value, low and high, a list each by kind; groups, the same by group, each the mean of its
    kinds' means; and what METRICS has of that variant besides, with `kinds`, its value by kind.
    """
    names = [name for part in parts for name in part.variants]
    gone = {
        what: Counter(told["variant"] for told in getattr(parts[0], what) if "variant" in told)
        for what in ("failed", "excluded")
    }
    made = {}
    for variant in sorted({*names, *gone["failed"], *gone["excluded"]} - {""}):
        places = np.array([at for at, name in enumerate(names) if name == variant], np.int64)
        failed, left_out = (gone[what][variant] for what in ("failed", "excluded"))
        made[variant] = {
            "asked": len(places) + failed + left_out,
            "failed": failed,
            "left_out": left_out,
            "used": len(places),
            **_Variant(variant, _taken(parts, places), sources.take(places)).told(drawing, level),
        }
    return made or None


def _taken(parts: Sequence[Clips], places: Ints) -> list[Clips]:
    """The clips at places among all of them."""
    ends = np.cumsum([len(part) for part in parts])
    starts = ends - [len(part) for part in parts]
    return [
        part.take(places[(places >= start) & (places < end)] - start)
        for part, start, end in zip(parts, starts, ends, strict=True)
    ]


class _Variant:
    """The clips of one variant, in parts."""

    def __init__(self, name: str, parts: Sequence[Clips], sources: Clusters) -> None:
        self.name, self.sources = name, sources
        self.first, self.parts = parts[0], [part for part in parts if len(part)]
        self.kinds = Cells.of(list(chain.from_iterable(part.kinds for part in self.parts)))
        self.groups = Cells.of(list(chain.from_iterable(part.groups for part in self.parts)))

    def told(self, drawing: Drawing, level: float) -> dict[str, Any]:
        """kinds, groups and views."""
        groups = {"groups": self.groups.told()} if self.groups.names else {}
        views = list(self.first.views) if self.parts else []
        columns = {(view, key): one for view in views for key, one in self._columns(view)}
        named = {f"{view}/{key}": one for (view, key), one in columns.items()}
        codes, among = self.kinds.codes, self.first.among
        found = estimates.of_kinds(named, codes, self.sources, drawing, level, among)
        told: dict[str, Any] = {view: {} for view in views}
        for (view, key), column in columns.items():
            reason = unknown(column.row, self.first)
            made = measure(found[f"{view}/{key}"], column.number, column.row.chance(among), reason)
            told[view] |= self._measured(key, column, made, level)
        return {"kinds": self.kinds.told(), **groups, "views": told}

    def _columns(self, view: str) -> Iterator[tuple[str, Column]]:
        """top1, and what METRICS has of this variant besides, where any clip counts, or might."""
        yield "top1", self._column("variant", METRICS["variant"], view)
        for name, row in rows("variants"):
            if row.variant == self.name and row.reads:
                column = self._column(name, row, view)
                if column.number or (unknown(row, self.first) and self._could(row)):
                    yield row.reads, column

    def _column(self, name: str, row: Metric, view: str) -> Column:
        return joined([Column.of(name, row, part, view) for part in self.parts])

    def _could(self, row: Metric) -> bool:
        """Whether any clip has the fields that it reads."""
        fields: list[Mapping[str, list[Any]]] = [part.fields for part in self.parts]
        return all(any(any(one.get(name, ())) for one in fields) for name in row.fields)

    def _measured(self, key: str, column: Column, made: Measure, level: float) -> dict[str, Any]:
        """A measure, and its values by kind; of top1 with their intervals, and those of groups."""
        if key != "top1":
            sums, counts = self.kinds.sums(column.values), self.kinds.sums(column.counts)
            return {key: {**made, "kinds": numbers(ratio(sums, counts))}}
        told = {key: made, **by_cell(column, self.sources, self.kinds, level)}
        if self.groups.names:
            told["groups"] = by_cell(column, self.sources, self.groups, level, self.kinds.codes)
        return told
