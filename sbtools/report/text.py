"""The tables as plain text, Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.cells import cell_len

from sbtools.report import published
from sbtools.report.benchmarks import Benchmarks
from sbtools.report.grid import Grid, stacked
from sbtools.report.notices import Notice
from sbtools.report.tables import Table
from sbtools.words import visible

FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a formula begins with, in half width and full."""
CSV_HEAD = ("result", "origin", "dataset", "split", "p_view", "classes", "model", "method",
            "metric", "value", "low", "high", "deviation", "seeds", "clips", "chance",
            "weight_free", "files", "flag")  # fmt: skip
PROTOCOL, TABLE = "protocol", "table"
"""Columns more: where any result names a protocol, and where there are methods by benchmarks,
whose lines are those with "benchmarks" there."""
BAND = ("band_low", "band_high")
"""The last columns, where any result was also shown under other masks."""
LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "^": r"\textasciicircum{}", "_": r"\_", "~": r"\textasciitilde{}", "%": r"\%",
    "<": r"\textless{}", ">": r"\textgreater{}", "\N{DAGGER}": r"$\dagger$",
    "\N{DOUBLE DAGGER}": r"$\ddagger$", "\N{SECTION SIGN}": r"\S{}",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
}  # fmt: skip


def plain(grids: Iterable[Grid]) -> Iterator[str]:
    """Lines of columns; under a value stands its interval."""
    for place, found in enumerate(grids):
        yield from ["", ""] if place else []
        yield visible(found.title)
        yield from _columns(found)
        yield from (visible(note) for note in found.notes)


def _columns(found: Grid) -> Iterator[str]:
    rows = [[[title] for title in found.head]]
    rows += [
        [[visible(line.name), f"  {line.place}"], *(stacked(*cell) for cell in line.cells)]
        for line in found.lines
    ]
    widths = [max(cell_len(t) for row in rows for t in row[at]) for at in range(len(found.head))]
    for row in rows:
        for part in range(max(map(len, row))):
            texts = [cell[part] if part < len(cell) else "" for cell in row]
            if part == 0 or any(texts):
                blank = [" " * (w - cell_len(t)) for t, w in zip(texts, widths, strict=True)]
                told = [
                    texts[0] + blank[0],
                    *(b + t for b, t in zip(blank[1:], texts[1:], strict=True)),
                ]
                yield "  ".join(told).rstrip()


def markdown(grids: Iterable[Grid], told: Iterable[Notice] = ()) -> Iterator[str]:
    """GitHub's tables, with the warnings above them."""
    for notice in told:
        yield f"> **Warning:** {_marked_down(str(notice))}"
        yield ">"
    for found in grids:
        yield from ["", f"**{_marked_down(found.title)}**", ""]
        yield f"| {' | '.join(_marked_down(title) for title in found.head)} |"
        yield f"|---|{'---:|' * (len(found.head) - 1)}"
        for line in found.lines:
            name = f"{line.name} ({line.place})" if line.place else line.name
            cells = [name, *(" ".join(cell).strip() for cell in line.cells)]
            yield f"| {' | '.join(map(_marked_down, cells))} |"
        yield ""
        yield from (f"- {_marked_down(note)}" for note in found.notes)


def latex(grids: Iterable[Grid], told: Iterable[Notice] = ()) -> Iterator[str]:
    r"""Tables for \usepackage{booktabs}, with the warnings as comments."""
    for notice in told:
        yield f"% WARNING: {visible(str(notice))}"
    for found in grids:
        yield from [r"\begin{table}", r"\centering", rf"\caption{{{_escaped(found.title)}}}"]
        yield rf"\begin{{tabular}}{{l{'r' * (len(found.head) - 1)}}}"
        yield r"\toprule"
        yield " & ".join(map(_escaped, found.head)) + r" \\"
        yield r"\midrule"
        before = ""
        for line in found.lines:
            if line.place and not before:
                yield r"\midrule"
            before = line.place
            cells = [(line.name, line.place), *line.cells]
            row = " & ".join(map(_small, cells)) + r" \\"
            yield "{}" * row.startswith("[") + row
        yield from [r"\bottomrule", r"\end{tabular}"]
        yield from (rf"\par\footnotesize {_escaped(note)}" for note in found.notes)
        yield r"\end{table}"


def _small(cell: tuple[str, str]) -> str:
    value, spread = (_escaped(text) for text in cell)
    return rf"{value} {{\scriptsize {spread}}}" if spread else value


def as_csv(
    tables: Sequence[Table], columns: Sequence[str] = (), with_published: bool = False
) -> str:
    """One line for each metric of each row; shares from 0 to 1, and nothing rounded."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    named = any(run.tested for table in tables for run in table.runs)
    banded = any(one.band for table in tables for run in table.runs for one in run.metrics.values())
    joined = any(isinstance(table, Benchmarks) for table in tables)
    more = [*([PROTOCOL] if named else []), *([TABLE] if joined else [])]
    writer.writerow([*CSV_HEAD, *more, *(BAND if banded else ())])
    for table in tables:
        found = [*_values(table), *(_published(table) if with_published else ())]
        last = [table.first.tested] if named else []
        last += ["benchmarks" if isinstance(table, Benchmarks) else ""] if joined else []
        rows = [[*row[:-2], *last, *(row[-2:] if banded else ())] for row in found]
        metric = CSV_HEAD.index("metric")
        chosen = (row for row in rows if not columns or row[metric] in columns)
        writer.writerows([cell_of_sheet(cell) for cell in row] for row in chosen)
    return out.getvalue()


def cell_of_sheet(cell: object) -> object:
    """Text that a spreadsheet takes for text: one that looks like a formula gets an apostrophe."""
    if not isinstance(cell, str):
        return cell
    text = visible(cell)
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text


def _values(table: Table) -> Iterator[list[object]]:
    """Rows of CSV_HEAD and, behind it, of BAND; so are those of `_published`."""
    for row in table.rows:
        run = row.runs[0]
        for metric in table.metrics:
            cell = row.cell(metric)
            if cell is not None:
                yield [
                    row.name, "ours", run.dataset, run.split, run.p_view, len(run.classes),
                    run.model.get("name"), run.method.get("name"), metric, cell.value, cell.low,
                    cell.high, cell.deviation, len(row.runs),
                    run.metrics[metric].count, cell.chance, run.weight_free,
                    " ".join(each.path for each in row.runs), None, *(cell.band or (None, None)),
                ]  # fmt: skip


def _published(table: Table) -> Iterator[list[object]]:
    for row in published.beside(table):
        for metric, number in row.numbers.items():
            yield [
                row.name, row.place, row.dataset, row.split, table.first.p_view, row.classes,
                row.model, row.method, metric, number.value, number.low, number.high, None, None,
                row.clips, None, None, None, number.flag, None, None,
            ]  # fmt: skip


def _marked_down(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", visible(text))


def _escaped(text: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in visible(text))


FORMATS: dict[str, Callable[..., Iterator[str]]] = {"markdown": markdown, "latex": latex}
