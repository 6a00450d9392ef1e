"""Which results may stand in one table, and which are runs of one recipe."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from statistics import mean, stdev
from typing import Any

from sbtools.evaluate.catalogue import ORDER, RATIOS, title_of
from sbtools.report.runs import Measure, Run

__all__ = ["RATIOS", "Cell", "Measure", "Row", "Table", "recipe", "tables", "title_of"]


@dataclass(frozen=True)
class Cell:
    """A metric of a row: one run's with its interval, or the mean over seeds with its deviation.

    deviation: of the seeds (n - 1), None where there is one. unit: of a metric of a package. band:
    least and most under other masks; of several seeds the means of both.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    chance: float | None = None
    deviation: float | None = None
    values: tuple[float, ...] = ()
    reason: str = ""
    unit: str = ""
    band: tuple[float, float] | None = None

    @classmethod
    def of(cls, measures: Sequence[Measure]) -> Cell:
        """One measure as it is; of several the mean, or nothing where one is not defined."""
        first = measures[0]
        if len(measures) == 1:
            ends = first.value, first.low, first.high, first.chance
            return cls(*ends, reason=first.reason, unit=first.unit, band=first.band)
        values = [measure.value for measure in measures]
        known = tuple(value for value in values if value is not None)
        if len(known) < len(values):
            return cls(
                None, chance=first.chance, reason="not defined for every seed", unit=first.unit
            )
        return cls(
            mean(known), chance=first.chance, deviation=stdev(known), values=known, unit=first.unit,
            band=_mean_band([measure.band for measure in measures]),
        )  # fmt: skip


def _mean_band(bands: Sequence[tuple[float, float] | None]) -> tuple[float, float] | None:
    """The means of both ends, where every seed has a band."""
    known = [band for band in bands if band]
    if len(known) < len(bands):
        return None
    return mean(low for low, _ in known), mean(high for _, high in known)


@dataclass(frozen=True)
class Row:
    """The runs of one recipe, one for each seed; a result of unknown training is a row alone."""

    number: int
    name: str
    runs: list[Run]

    @property
    def seeds(self) -> list[Any]:
        """The seeds of the training; empty where that is not known."""
        return [run.training["seed"] for run in self.runs if run.training.get("seed") is not None]

    def cell(self, metric: str) -> Cell | None:
        """A metric that all its runs have."""
        found = [run.metrics[metric] for run in self.runs if metric in run.metrics]
        return Cell.of(found) if len(found) == len(self.runs) else None


@dataclass(frozen=True)
class Table:
    """Rows of which one may be read against the other: one data set, one choice of classes, one
    P-top1, one kind of masks and one protocol. doubles: results of a recipe and seed that have a
    newer one. published: whether published numbers may stand beside it."""

    rows: list[Row]
    doubles: list[Run]
    published: bool = True

    @property
    def runs(self) -> list[Run]:
        """All results in it."""
        return [run for row in self.rows for run in row.runs]

    @property
    def first(self) -> Run:
        """A result that has all that they have in common."""
        return self.rows[0].runs[0]

    @property
    def metrics(self) -> list[str]:
        """Those of any row, in the order of columns."""
        there = {name for run in self.runs for name in run.metrics}
        return [*(name for name in ORDER if name in there), *sorted(there - set(ORDER))]

    def first_measure(self, metric: str) -> Measure:
        """A metric of any row, by which all are read: its title, unit and place."""
        return next(run.metrics[metric] for run in self.runs if metric in run.metrics)

    def head(self, metrics: Iterable[str]) -> list[str]:
        """The titles of columns."""
        return [self.first_measure(metric).title or title_of(metric) for metric in metrics]

    @property
    def title(self) -> str:
        """Data set and split, and where the masks are not to be trusted."""
        run = self.first
        free = "weight-free masks" if run.weight_free else ""
        parts = dict.fromkeys((run.dataset or "clips", run.split, run.part, run.judged, free))
        return ", ".join(part for part in parts if part)

    @property
    def terms(self) -> list[str]:
        """What all rows have in common, in words."""
        run, used = self.first, sorted({run.used for run in self.runs} - {0})
        clips = " to ".join(map(str, used[:: max(1, len(used) - 1)]))
        count = max(run.among, 1)
        among = f"{len(run.classes)} classes"
        if run.among != len(run.classes):
            among += f", {run.among} to choose among"
        told = [f"{clips} clips"] if used else []
        told += [among, f"chance {100 / count:.2f} %"]
        if run.p_view:
            told.append(f"P-top1 of view {run.p_view}")
        if run.tested:
            told.append(f"protocol {run.tested}")
        return told

    @property
    def remarks(self) -> list[str]:
        """What else is to be said under it."""
        return []

    @property
    def usual(self) -> str:
        """The digest of the clips that most results were judged on; of equals, the first."""
        return Counter(run.ids for run in self.runs).most_common(1)[0][0]


def tables(runs: Iterable[Run]) -> list[Table]:
    """All results, in tables in the order in which they were given."""
    apart: dict[Any, list[Run]] = {}
    for run in runs:
        where = run.dataset, run.split, run.part
        what = run.classes, run.among, run.p_view, run.judged
        apart.setdefault((*where, *what, bool(run.weight_free), run.tested), []).append(run)
    number, made = 0, []
    for group in apart.values():
        table = _table(group, number)
        number += len(table.rows)
        made.append(table)
    return made


def _table(runs: Sequence[Run], number: int) -> Table:
    recipes: dict[str, list[Run]] = {}
    for run in runs:
        recipes.setdefault(recipe(run), []).append(run)
    rows, doubles = [], []
    for group in recipes.values():
        newest: dict[str, Run] = {}
        for run in sorted(group, key=lambda run: run.time, reverse=True):
            seed = json.dumps(run.training.get("seed"))
            doubles += [run] if seed in newest else []
            newest.setdefault(seed, run)
        kept = [run for run in group if run in newest.values()]
        number += 1
        rows.append(Row(number, common_name(kept), kept))
    return Table(told_apart(rows), doubles)


def told_apart(rows: Sequence[Row]) -> list[Row]:
    """With a file behind each name that several have."""
    names = Counter(row.name for row in rows)
    return [row if names[row.name] == 1 else _with_file(row) for row in rows]


def _with_file(row: Row) -> Row:
    return replace(row, name=f"{row.name} ({row.runs[0].path})")


def recipe(run: Run) -> str:
    """Equal for runs that differ in the seed of their training alone."""
    if run.training.get("seed") is None:
        return os.path.abspath(run.path)
    protocol = {k: v for k, v in run.protocol.items() if k not in ("seed", "mask_band")}
    return json.dumps([*trained(run), protocol], sort_keys=True)


def trained(run: Run) -> list[Any]:
    """Model, method and training, without the seed."""
    training = {k: run.training.get(k) for k in ("which", "select", "records_sha256", "clips")}
    training["settings"] = _without_seed(run.training.get("settings"))
    model = {k: run.model.get(k) for k in ("name", "kind", "settings", "frames")}
    return [model, run.method, training]


def _without_seed(settings: Any) -> Any:
    """Settings, and settings of a part in them, which has the seed as well."""
    if not isinstance(settings, dict):
        return settings
    return {name: _without_seed(value) for name, value in settings.items() if name != "seed"}


def common_name(runs: Sequence[Run]) -> str:
    """What the names have in common at the start, without what would begin the seed's number."""
    if len({run.name for run in runs}) == 1:
        return runs[0].name
    first, last = min(run.name for run in runs), max(run.name for run in runs)
    alike = (a == b for a, b in zip(first, last, strict=False))
    common = first[: sum(takewhile(bool, alike))].rstrip("0123456789")
    for ending in ("seed", "s"):
        bare = common.removesuffix(ending)
        if bare != common and bare[-1:] in ("-", "_", ".", " ", "/"):
            common = bare
    return common.rstrip("-_. /") or runs[0].name
