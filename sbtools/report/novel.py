"""Base and novel classes judged by one model: the harmonic mean of both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sbtools.evaluate.outcomes import BY_VIEW
from sbtools.report.grid import Grid, Line, texts
from sbtools.report.runs import Run
from sbtools.report.tables import Cell, Measure, Row, Table, title_of

METRICS = BY_VIEW


def harmonic(base: float, novel: float) -> float:
    """2bn / (b + n); 0 where both are."""
    return 2 * base * novel / (base + novel) if base + novel else 0.0


def grids(tables: Sequence[Table]) -> list[Grid]:
    """One for each table of base classes whose counterpart of novel ones is there too."""
    made = []
    for base in (table for table in tables if table.first.part == "base"):
        found = [table for table in tables if table.first.part == "novel"]
        found = [novel for novel in found if _kind(base) == _kind(novel)]
        # Where one list of clips holds base and novel ones, its own novel ones are meant.
        own = [novel for novel in found if _records(base) & _records(novel)]
        for novel in own or found:
            made += _grid(base, novel)
    return made


def _records(table: Table) -> set[str]:
    return {run.records for run in table.runs if run.records}


def _kind(table: Table) -> tuple[str, str, bool, str, str]:
    run = table.first
    return run.dataset, run.p_view, bool(run.weight_free), run.tested, run.judged


def _grid(base: Table, novel: Table) -> list[Grid]:
    there = [name for name in METRICS if name in base.metrics and name in novel.metrics]
    others = {_model(run): run for run in novel.runs if _model(run)}
    lines = [_line(row, others, there) for row in base.rows]
    found = [line for line in lines if line]
    if not found or not there:
        return []
    head = ["result"]
    for name in there:
        head += [f"{title_of(name)} base", "novel", "harmonic mean"]
    notes = ["2bn / (b + n) of the base and the novel classes, as one model answers both."]
    parts = [base.first.dataset or "clips"]
    if base.first.split == novel.first.split:
        parts += filter(None, [base.first.split])
    parts += [f"protocol {base.first.tested}"] if base.first.tested else []
    return [Grid(f"{', '.join(parts)}, base to novel", head, found, notes)]


def _model(run: Run) -> str:
    """What says that two results are of one model: its weights."""
    return str(run.model.get("weights_sha256") or "")


def _line(row: Row, others: dict[str, Run], metrics: Iterable[str]) -> Line | None:
    pairs = [(run, others[_model(run)]) for run in row.runs if _model(run) in others]
    if len(pairs) < len(row.runs):
        return None
    cells: list[tuple[str, str]] = []
    for metric in metrics:
        both = [tuple(run.metrics.get(metric, Measure(None)) for run in pair) for pair in pairs]
        means = [
            Measure(harmonic(b.value, n.value))
            for b, n in both
            if b.value is not None and n.value is not None
        ]
        whole = means if len(means) == len(both) else [Measure(None)]
        sides = [Cell.of([pair[side] for pair in both]) for side in (0, 1)]
        cells += [texts(metric, cell) for cell in (*sides, Cell.of(whole))]
    return Line(row.name.removesuffix(" (base)"), cells)
