"""Methods by benchmarks: every training on a data set and on the sets made of its clips."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sbtools.report import invariant
from sbtools.report.joined import ABSENT, COLUMNS, SETS, TITLES, Joined, Sign, join
from sbtools.report.runs import Run
from sbtools.report.tables import Row, Table, common_name, title_of, told_apart, trained

USUAL, OTHER = "usual", "other"


@dataclass(frozen=True)
class Benchmarks(Table):
    """A row for each training: top1 of the original clips, SCUBA, SCUFO, ConflFG, contrasted.

    Its runs are models, each joined of all its results. left_out: results of which another number
    was taken.
    """

    left_out: list[Run] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Data set and split, and where the masks are not to be trusted."""
        free = "weight-free masks" if any(run.weight_free for run in self.runs) else ""
        run = self.first
        parts = dict.fromkeys((run.dataset or "clips", run.split, run.part, free))
        return ", ".join(filter(None, [*parts, "methods by benchmarks"]))

    @property
    def metrics(self) -> list[str]:
        """The columns that are told, or said why not, in the order of the papers, then `kinds`."""
        told = {
            name
            for run in self.runs
            for name, one in run.metrics.items()
            if one.value is not None or one.reason != ABSENT
        }
        return [*(name for name in COLUMNS if name in told), *self.kinds]

    @property
    def kinds(self) -> list[str]:
        """SET_KIND of every background kind, scuba_stripe say."""
        order = list(SETS.values())
        names = {name for run in self.runs for name in run.metrics if name not in COLUMNS}
        return sorted(names, key=lambda name: (order.index(name.partition("_")[0]), name))

    @property
    def usual(self) -> str:
        """What stands for its clips where a model was judged on those of most."""
        return USUAL

    @property
    def remarks(self) -> list[str]:
        """Why cells are empty, and where numbers contradict one another."""
        return [*_reasons(self), *filter(None, map(_contradiction, self.rows))]


def benchmarks(tables: Sequence[Table]) -> tuple[list[Benchmarks], list[Table]]:
    """The tables of methods by benchmarks, and those given; beside what is in the first, published
    numbers do not stand again."""
    apart: dict[Hashable, list[int]] = {}
    for at, table in enumerate(tables):
        run = table.first
        where = run.dataset, run.split, run.part, run.classes, run.among, run.tested
        apart.setdefault(where, []).append(at)
    made: list[Benchmarks] = []
    within: set[int] = set()
    for places in apart.values():
        found = list(_made([tables[at] for at in places]))
        made += found
        within |= set(places) if found else set()
    kept = [replace(t, published=False) if at in within else t for at, t in enumerate(tables)]
    return made, kept


def _made(tables: Sequence[Table]) -> Iterator[Benchmarks]:
    """One, or two where some of the sets were made by masks without weights."""
    runs = [run for table in tables for run in (*table.runs, *table.doubles)]
    on_sets = [run for run in runs if any(name in run.metrics for name in SETS)]
    kinds = list(dict.fromkeys(bool(run.weight_free) for run in on_sets))
    for free in kinds:
        others = [run for run in on_sets if bool(run.weight_free) != free]
        found = [join(group) for group in _models([run for run in runs if run not in others])]
        yield _table([one for one in found if len(kinds) == 1 or one.run.variants])


def _table(models: Sequence[Joined]) -> Benchmarks:
    usual = _usual(models)
    recipes: dict[str, list[Run]] = {}
    for one in models:
        alike = all(_alike(sign, usual[name]) for name, sign in one.signs.items())
        run = replace(one.run, ids=USUAL if alike else OTHER)
        recipes.setdefault(_recipe(run), []).append(run)
    groups = enumerate(recipes.values(), 1)
    rows = [Row(number, common_name(group), group) for number, group in groups]
    return Benchmarks(told_apart(rows), [], True, [run for one in models for run in one.left_out])


def _models(runs: Sequence[Run]) -> list[list[Run]]:
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(_model(run), []).append(run)
    return list(found.values())


def _model(run: Run) -> str:
    """Equal for results of the same weights, that show clips alike; a result without weights is of
    a model of its own."""
    weights = run.model.get("weights_sha256")
    if not weights:
        return os.path.abspath(run.path)
    model = [run.model.get(name) for name in ("name", "kind", "settings", "frames")]
    seed = run.training.get("seed")
    training = trained(run) if seed is not None else None
    return json.dumps([weights, model, seed, training, _shown(run)], sort_keys=True)


def _recipe(run: Run) -> str:
    """Equal for models that differ in the seed of their training alone."""
    if run.training.get("seed") is None:
        return _model(run)
    return json.dumps([*trained(run), _shown(run)], sort_keys=True)


def _shown(run: Run) -> list[Any]:
    """How clips were shown, as far as no protocol says it."""
    return [] if run.tested else [run.protocol.get(name) for name in ("frames", "clips", "crops")]


def _usual(models: Sequence[Joined]) -> dict[str, Sign]:
    """By column the clips that most were judged on; of equals, the first."""
    told: dict[str, Counter[Sign]] = {}
    for one in models:
        for name, sign in one.signs.items():
            told.setdefault(name, Counter())[sign] += 1
    return {name: counts.most_common(1)[0][0] for name, counts in told.items()}


def _alike(sign: Sign, other: Sign) -> bool:
    """Whether both are of the same clips; where a result does not name them, of as many."""
    counts = [[each[:2] for each in one] for one in (sign, other)]
    pairs = zip(sign, other, strict=False)
    return counts[0] == counts[1] and all(a[2] == b[2] or not (a[2] and b[2]) for a, b in pairs)


def _reasons(table: Benchmarks) -> list[str]:
    """Why a column has no value, and of which rows that is said."""
    told: dict[tuple[str, str], list[str]] = {}
    for row in table.rows:
        for name in COLUMNS:
            reasons = {run.metrics[name].reason for run in row.runs
                       if run.metrics[name].value is None}  # fmt: skip
            for reason in sorted(reasons - {ABSENT}):
                told.setdefault((name, reason), []).append(row.name)
    return [
        f"{TITLES.get(name, title_of(name))} of {', '.join(names)}: {reason}."
        for (name, reason), names in told.items()
    ]


def _contradiction(row: Row) -> str:
    """Of a row whose SCUBA and SCUFO are of other clips than its pairs."""
    cells = [row.cell(name) for name in ("scuba_avg", "scufo_avg", "contrasted")]
    values = [100 * cell.value for cell in cells if cell and cell.value is not None]
    broken = invariant.broken(*values) if len(values) == 3 else ""
    return broken and f"{row.name}: {broken}, which no set of pairs can: they are of other clips."
