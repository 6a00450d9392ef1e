"""The pictures of a table: its rows against each other."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from sbtools.report.plots import BEHIND, GRID, INK, MUTED, SERIES, SMALL, SURFACE, axes, svg
from sbtools.report.published import Published
from sbtools.report.tables import Cell, Row, Table, title_of
from sbtools.words import short

NUMBERED, LISTED = 30, 60
STEP = 34
MARKERS = {"top1": ("o", SERIES[0]), "p_top1": ("s", SERIES[1]), "b_top1": ("^", SERIES[2])}
Ends = tuple[float, float]


def ends(cell: Cell) -> Ends:
    """The interval of a cell in percent; mean and deviation where it is of several seeds."""
    if cell.value is None:
        raise ValueError("a cell without a value has no interval")
    if cell.deviation is not None:
        return 100 * (cell.value - cell.deviation), 100 * (cell.value + cell.deviation)
    low = cell.value if cell.low is None else cell.low
    return 100 * low, 100 * (cell.value if cell.high is None else cell.high)


def against(
    table: Table, metric: str, floor: Row | None = None, found: Sequence[Published] = ()
) -> str:
    """top1 of every row against its P-top1 or B-top1, with the floors of both; empty without."""
    rows = [(row, _known(row, "top1"), _known(row, metric)) for row in table.rows]
    known = [(row, y, x) for row, y, x in rows if y and x]
    if not known:
        return ""
    made = axes(300)
    _published_points(made, metric, found)
    for row, y, x in known:
        _point(made, row.number, x, y, len(known) <= NUMBERED, row is floor)
    _floors(made, 1 / max(table.first.among, 1), floor, metric)
    made.set_xlabel(f"{title_of(metric)} (%)")
    made.set_ylabel("top1 (%)")
    made.grid(True)
    return svg(made, f"top1 against {title_of(metric)} of {len(known)} results")


def _known(row: Row, metric: str) -> Cell | None:
    cell = row.cell(metric)
    return cell if cell and cell.value is not None else None


def _point(made: Axes, number: int, x: Cell, y: Cell, numbered: bool, floor: bool) -> None:
    at = 100 * (x.value or 0), 100 * (y.value or 0)
    colour = SERIES[3] if floor else SERIES[0]
    made.plot(ends(x), [at[1]] * 2, color=colour, linewidth=1.1, alpha=0.55)
    made.plot([at[0]] * 2, ends(y), color=colour, linewidth=1.1, alpha=0.55)
    size = 13 if numbered else 6
    made.plot(*at, "o", color=colour, markersize=size, markeredgecolor=SURFACE, zorder=3)
    if numbered:
        made.text(*at, str(number), color=SURFACE, fontsize=8.5, weight="bold", ha="center",
                  va="center_baseline", zorder=4)  # fmt: skip


def _published_points(made: Axes, metric: str, found: Sequence[Published]) -> None:
    for row in found:
        x, y = row.numbers.get(metric), row.numbers.get("top1")
        if x and y and x.value is not None and y.value is not None:
            at = 100 * x.value, 100 * y.value
            if (
                x.low is not None
                and x.high is not None
                and y.low is not None
                and y.high is not None
            ):
                made.plot(
                    [100 * x.low, 100 * x.high],
                    [at[1]] * 2,
                    color=SERIES[1],
                    linewidth=0.7,
                    alpha=0.5,
                )
                made.plot(
                    [at[0]] * 2,
                    [100 * y.low, 100 * y.high],
                    color=SERIES[1],
                    linewidth=0.7,
                    alpha=0.5,
                )
            made.plot(*at, "D", color=SERIES[1], markersize=5.5, markerfacecolor="none", zorder=2)


def _floors(made: Axes, chance: float, floor: Row | None, metric: str) -> None:
    """Chance on both axes, and the row without bias where it is given."""
    made.axvline(100 * chance, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
    made.axhline(100 * chance, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
    low, high = made.get_xlim()
    made.text(100 * chance, made.get_ylim()[1], " chance", color=MUTED, fontsize=SMALL, va="top",
              ha="left" if 100 * chance < (low + high) / 2 else "right")  # fmt: skip
    if floor is not None:
        x = _known(floor, metric)
        if x and x.value is not None:
            made.axvline(100 * x.value, color=SERIES[3], linewidth=1.0, linestyle=(0, (5, 3)))


def intervals(table: Table, floor: Row | None = None) -> str:
    """top1, P-top1 and B-top1 of the first rows, each with its interval."""
    rows = table.rows[:LISTED]
    metrics = [name for name in MARKERS if name in table.metrics]
    if not metrics:
        return ""
    made = axes(30 + STEP * len(rows), left=10, bottom=26, top=4)
    for place, row in enumerate(rows):
        made.axhline(place + 0.62, color=GRID, linewidth=0.6)
        for metric in metrics:
            marker, colour = MARKERS[metric]
            cell = _known(row, metric)
            if cell and cell.value is not None:
                made.plot(ends(cell), [place + 0.25] * 2, color=colour, linewidth=1.6, alpha=0.6)
                made.plot(100 * cell.value, place + 0.25, marker, color=colour, markersize=6.5,
                          markeredgecolor=SURFACE)  # fmt: skip
                if cell.band:
                    made.plot([100 * end for end in cell.band], [place + 0.42] * 2, color=colour,
                              linewidth=0.8)  # fmt: skip
    return _named(made, table, [f"{row.number}: {short(row.name, 40)}" for row in rows])


def _named(made: Axes, table: Table, names: Sequence[str]) -> str:
    """With a name above each row, and the line of chance."""
    made.axvline(100 / max(table.first.among, 1), color=MUTED, linewidth=0.9,
                 linestyle=(0, (1, 2)))  # fmt: skip
    made.set_ylim(len(names) - 0.38, -0.42)
    low, high = made.get_xlim()
    made.set_xlim(max(low, -2), min(high, 102))
    for place, name in enumerate(names):
        made.text(0, place - 0.16, name, transform=made.get_yaxis_transform(), color=INK,
                  fontsize=SMALL, va="center", bbox=BEHIND)  # fmt: skip
    made.set_yticks([])
    made.spines["left"].set_visible(False)
    return svg(made, f"intervals of {len(names)} results, in percent")
