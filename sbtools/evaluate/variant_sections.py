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
from sbtools.evaluate.intervals import Sources, ratio
from sbtools.evaluate.metric import Metric
from sbtools.evaluate.metrics import Ints, top_k_chance
from sbtools.evaluate.sections import Measure, measure, numbers, unknown
from sbtools.evaluate.statistics import Column, joined


def variants(
    parts: Sequence[Clips], sources: Sources, drawing: Drawing, level: float
) -> dict[str, Any] | None:
    """{VARIANT: {asked, failed, left_out, used, kinds, groups, views}} of all clips that have one;
    None where none has.

    kinds, groups: names and counts of background kinds, those of clips that tell none under
    "(none)", and of the groups, where clips have them. views: by name top1, the mean of the kinds'
    means; value, low and high, a list each by kind; groups, the same by group, each the mean of its
    kinds' means; and what METRICS has of that variant besides, with `kinds`, its value by kind.
    """
    names = [name for part in parts for name in part.variants or [""] * len(part)]
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

    def __init__(self, name: str, parts: Sequence[Clips], sources: Sources) -> None:
        self.name, self.sources = name, sources
        self.first, self.parts = parts[0], [part for part in parts if len(part)]
        texts = (part.kinds or [""] * len(part) for part in self.parts)
        self.kinds = Cells.of(list(chain.from_iterable(texts)))
        self.groups = Cells.of(list(chain.from_iterable(part.groups for part in self.parts)))

    def told(self, drawing: Drawing, level: float) -> dict[str, Any]:
        """kinds, groups and views."""
        groups = {"groups": self.groups.told()} if self.groups.names else {}
        views = {view: self._view(view, drawing, level) for view in self.first.views if self.parts}
        return {"kinds": self.kinds.told(), **groups, "views": views}

    def _view(self, view: str, drawing: Drawing, level: float) -> dict[str, Any]:
        hits = self._column("variant", METRICS["variant"], view)
        found = estimates.of_kinds(hits, self.kinds.codes, self.sources, drawing, level)
        seen = {
            "top1": measure(found, hits.number, top_k_chance(self.first.among)),
            **by_cell(hits, self.sources, self.kinds, level),
        }
        if self.groups.names:
            seen["groups"] = by_cell(hits, self.sources, self.groups, level, self.kinds.codes)
        return {**seen, **dict(self._more(view, drawing, level))}

    def _column(self, name: str, row: Metric, view: str) -> Column:
        return joined([Column.of(name, row, part, view) for part in self.parts])

    def _more(self, view: str, drawing: Drawing, level: float) -> Iterator[tuple[str, Measure]]:
        """What METRICS has of this variant beside top1, where any clip counts or it is unknown."""
        for name, row in rows("variants"):
            if row.variant != self.name or not row.reads:
                continue
            column, reason = self._column(name, row, view), unknown(row, self.first)
            if not (column.number or (reason and self._could(row))):
                continue
            found = estimates.of_kinds(
                column, self.kinds.codes, self.sources, drawing, level, self.first.among
            )
            told = measure(found, column.number, row.chance(self.first.among), reason)
            sums, counts = self.kinds.sums(column.values), self.kinds.sums(column.counts)
            yield row.reads, {**told, "kinds": numbers(ratio(sums, counts))}

    def _could(self, row: Metric) -> bool:
        """Whether any clip has the fields that it reads."""
        fields: list[Mapping[str, list[Any]]] = [part.fields for part in self.parts]
        return all(any(any(one.get(name, ())) for one in fields) for name in row.fields)
