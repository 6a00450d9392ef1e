"""A table as cells of text, whatever it is printed as."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sbtools.errors import UsageError
from sbtools.evaluate.catalogue import LEFT_OUT
from sbtools.evaluate.metric import ALWAYS, NUMBER, RATIO, SHARE
from sbtools.report import published, published_notes
from sbtools.report.benchmarks import Benchmarks
from sbtools.report.notices import marks, notes
from sbtools.report.tables import RATIOS, Cell, Table, title_of

NOTHING = "-"
FREE = "No published numbers beside it: masks made without learned weights cannot be compared."


@dataclass(frozen=True)
class Line:
    """A row: its name, of each column a value and how sure it is, and where it was published."""

    name: str
    cells: list[tuple[str, str]]
    place: str = ""


@dataclass(frozen=True)
class Grid:
    """A table to be printed. head: the titles of the columns, the first of which is the name."""

    title: str
    head: list[str]
    lines: list[Line]
    notes: list[str] = field(default_factory=list)


def grids(
    tables: Iterable[Table], columns: Sequence[str] = (), with_published: bool = False
) -> list[Grid]:
    """The cells of all tables; of methods by benchmarks only where they have one of the columns."""
    return [
        grid(table, columns, with_published)
        for table in tables
        if not isinstance(table, Benchmarks) or chosen(table, columns)
    ]


def grid(table: Table, columns: Sequence[str] = (), with_published: bool = False) -> Grid:
    """The cells of a table; UsageError for a column that no table can have."""
    metrics = chosen(table, columns)
    many = any(len(row.runs) > 1 for row in table.rows)
    lines = [
        Line(
            row.name + marks(row, table),
            [*([(str(len(row.runs)), "")] if many else []),
             *(texts(metric, row.cell(metric)) for metric in metrics)],
        )
        for row in table.rows
    ]  # fmt: skip
    found = published.beside(table) if with_published else []
    lines += [_published(row, metrics, many) for row in found]
    told = [
        *notes(table),
        *sizes(table),
        *table.remarks,
        *bands(table),
        *flags(found, metrics),
        *published_notes.notes(found),
    ]
    if with_published and any(run.weight_free for run in table.runs):
        told.append(FREE)
    title = f"{table.title}: {', '.join(table.terms)}"
    head = ["result", *(["seeds"] if many else []), *table.head(metrics)]
    return Grid(title, head, lines, told)


def chosen(table: Table, columns: Sequence[str]) -> list[str]:
    """The metrics that are asked for and there, in the order asked for; else the usual ones."""
    if columns:
        return [name for name in columns if name in table.metrics]
    return [name for name in table.metrics if name not in LEFT_OUT and _usual(table, name)]


def _usual(table: Table, metric: str) -> bool:
    return (table.first_measure(metric).shown or ALWAYS) == ALWAYS


def check_columns(tables: Sequence[Table], columns: Sequence[str]) -> None:
    """UsageError for a column that none of the tables has."""
    there = [name for table in tables for name in table.metrics]
    for name in columns:
        if name not in there:
            known = ", ".join(dict.fromkeys(there))
            raise UsageError(f"no result has the metric '{name}': name one of {known}")


def texts(metric: str, cell: Cell | None) -> tuple[str, str]:
    """A value, and its interval or its deviation over seeds, with ~ its band under other masks; a
    share in percent."""
    if cell is None or cell.value is None:
        return NOTHING, ""
    if (RATIO if metric in RATIOS else cell.unit or SHARE) in (RATIO, NUMBER):
        scale, digits = 1.0, 2
    else:
        scale, digits = 100.0, 1
    value = f"{scale * cell.value:.2f}"
    band = f"~{_ends(*cell.band, scale, digits)}" if cell.band else ""
    if cell.deviation is not None:
        return value, f"\N{PLUS-MINUS SIGN} {scale * cell.deviation:.2f} {band}".rstrip()
    if cell.low is None or cell.high is None:
        return value, band
    return value, f"{_ends(cell.low, cell.high, scale, digits)} {band}".rstrip()


def _ends(low: float, high: float, scale: float, digits: int) -> str:
    return f"[{scale * low:.{digits}f}, {scale * high:.{digits}f}]"


def stacked(value: str, sure: str) -> list[str]:
    """A cell as lines: the value, how sure it is, and its band."""
    return [value, *filter(None, sure.replace(" ~", "\n~").split("\n"))]


def bands(table: Table) -> list[str]:
    """What the bands of a table are, where it has any."""
    measures = (one for run in table.runs for one in run.metrics.values())
    if not any(one.band for one in measures):
        return []
    of = (run.protocol.get("mask_band") for run in table.runs)
    named = (told.get("store") for told in of if isinstance(told, dict))
    stores = dict.fromkeys(str(store) for store in named if store)
    more = f", and of {', '.join(stores)}" if stores else ""
    return [
        f"~[least, most]: the number itself and under other masks, dilated and eroded ones{more}; "
        "how far it is the masks', and no interval."
    ]


def sizes(table: Table) -> list[str]:
    """Of each variant how many clips came in, were left out by rule, and N."""
    told: dict[tuple[str, str], list[str]] = {}
    for run in table.runs:
        for name, variant in run.variants.items():
            told.setdefault((name, str(variant)), []).append(run.name)
    many = Counter(name for name, _ in told)
    return [
        f"{name}: {text}" + (f" ({', '.join(runs)})" if many[name] > 1 else "")
        for (name, text), runs in told.items()
    ]


def _published(row: published.Published, metrics: Sequence[str], many: bool) -> Line:
    cells = [("", "")] if many else []
    for metric in metrics:
        number = row.numbers.get(metric)
        if number is None:
            cells.append((NOTHING, ""))
        else:
            mark = "*" if number.flag else ""
            known = number.value is not None and number.low is not None
            cell = Cell(number.value, number.low, number.high) if known else None
            cells.append((number.shown + mark, texts(metric, cell)[1]))
    return Line(row.name, cells, row.place)


def flags(found: Sequence[published.Published], metrics: Sequence[str]) -> list[str]:
    """What is in doubt in published numbers, and which they are."""
    told: dict[str, list[str]] = {}
    for row in found:
        for metric, number in row.numbers.items():
            if number.flag and metric in metrics:
                told.setdefault(number.flag, []).append(f"{number.shown} {title_of(metric)}")
    known = any(number.low is not None for row in found for number in row.numbers.values())
    return [
        *(["Intervals of published numbers are binomial (Wilson)."] if known else []),
        *(f"* {flag}: {', '.join(where)}" for flag, where in told.items()),
    ]
