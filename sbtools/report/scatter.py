"""SCUBA against SCUFO: every method a point, with chance and what both leave to contrasted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, hypot

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from sbtools.report.benchmarks import Benchmarks
from sbtools.report.figures import ends
from sbtools.report.plots import BEHIND, GRID, INK, MUTED, SERIES, SMALL, SURFACE, axes, svg
from sbtools.report.published import Published
from sbtools.report.tables import Cell, Row
from sbtools.words import short

HEIGHT, STEPS = 320, (10, 20, 50)
NUMBERED = 30
POINT, NEAR, LETTERS, MARGIN = 5.0, 8.0, 18, 1.5
OURS, THEIRS = SERIES[0], SERIES[1]
Move = tuple[float, float]
DOTS, DASHES = (0, (1, 2)), (0, (6, 3))


@dataclass(frozen=True)
class Point:
    """Percent: x of SCUFO and y of SCUBA, and their ends where they are known."""

    name: str
    x: float
    y: float
    across: tuple[float, float] | None
    up: tuple[float, float] | None
    ours: bool


def against(table: Benchmarks, found: Sequence[Published] = ()) -> str:
    """The picture; empty where no method, and no published one, has both."""
    points = [*_ours(table), *_theirs(found)]
    if not points:
        return ""
    made = axes(HEIGHT, top=14)
    for point in points:
        _draw(made, point)
    _bounds(made, points)
    taken = [_chance(made, 100 / max(table.first.among, 1)), *_diagonals(made)]
    if len(points) <= NUMBERED:
        _named(made, points, taken)
    made.set_xlabel("SCUFO (%): right without motion")
    made.set_ylabel("SCUBA (%)")
    return svg(made, f"SCUBA against SCUFO of {len(points)} method{'s' * (len(points) > 1)}")


def _ours(table: Benchmarks) -> Iterator[Point]:
    for row in table.rows:
        x, y = _known(row, "scufo_avg"), _known(row, "scuba_avg")
        if x and y:
            at = 100 * (x.value or 0), 100 * (y.value or 0)
            yield Point(f"{row.number}", *at, ends(x), ends(y), True)


def _known(row: Row, metric: str) -> Cell | None:
    cell = row.cell(metric)
    return cell if cell and cell.value is not None else None


def _theirs(found: Sequence[Published]) -> Iterator[Point]:
    for row in found:
        x, y = (row.numbers.get(name) for name in ("scufo_avg", "scuba_avg"))
        if x and y and x.value is not None and y.value is not None:
            name = short(row.method, LETTERS)
            yield Point(name, 100 * x.value, 100 * y.value, None, None, False)


def _draw(made: Axes, point: Point) -> None:
    colour = OURS if point.ours else THEIRS
    if point.across and point.up:
        made.plot(point.across, [point.y] * 2, color=colour, linewidth=1.1, alpha=0.5)
        made.plot([point.x] * 2, point.up, color=colour, linewidth=1.1, alpha=0.5)
    if point.ours:
        made.plot(point.x, point.y, "o", color=colour, markersize=7.5, markeredgecolor=SURFACE,
                  zorder=3, clip_on=False)  # fmt: skip
    else:
        made.plot(point.x, point.y, "D", color=colour, markersize=5.5, markerfacecolor="none",
                  zorder=3, clip_on=False)  # fmt: skip


def _bounds(made: Axes, points: Sequence[Point]) -> None:
    """From 0, with room for names around the points."""
    right = max(end for one in points for end in (one.x, *(one.across or ())))
    top = max(end for one in points for end in (one.y, *(one.up or ())))
    made.set_xlim(0, min(100, max(10.0, 1.25 * right)))
    made.set_ylim(0, min(100, max(10.0, 1.15 * top)))
    made.grid(False)


def _chance(made: Axes, chance: float) -> Bbox:
    made.axvline(chance, color=MUTED, linewidth=0.9, linestyle=DOTS)
    made.axhline(chance, color=MUTED, linewidth=0.9, linestyle=DOTS)
    right = made.get_xlim()[1]
    text = made.text(right, chance, "chance", color=MUTED, fontsize=SMALL, ha="right", va="bottom")
    return text.get_window_extent()


def _diagonals(made: Axes) -> Iterator[Bbox]:
    """Lines of one SCUBA - SCUFO, which contrasted is at least, with its number at the end."""
    right, top = made.get_xlim()[1], made.get_ylim()[1]
    step = next((each for each in STEPS if top / each <= 7), STEPS[-1])
    for least in range(0, ceil(top), step):
        end = min(right, top - least)
        first = least == 0
        made.plot([0, end], [least, least + end], color=MUTED if first else GRID, linewidth=0.9,
                  linestyle=DASHES if first else "-", zorder=1)  # fmt: skip
        above = top - least <= right
        text = made.annotate(
            f"{least}", (end, least + end), (0, 2) if above else (0, 4),
            textcoords="offset points", color=MUTED, fontsize=SMALL - 1, annotation_clip=False,
            ha="center" if above else "right", va="bottom", bbox=None if above else BEHIND,
        )  # fmt: skip
        yield text.get_window_extent()


def _named(made: Axes, points: Sequence[Point], taken: Sequence[Bbox]) -> None:
    """A name beside each point, where it covers neither a point nor another name."""
    places = made.transData.transform([(one.x, one.y) for one in points])
    dots = [Bbox.from_extents(x - POINT, y - POINT, x + POINT, y + POINT) for x, y in places]
    used = [*taken, *dots]
    for point, at in zip(points, places.tolist(), strict=True):
        others = [(x - at[0], y - at[1]) for x, y in places.tolist() if [x, y] != at]
        used.append(_name(made, point, at, used, others))


def _name(
    made: Axes, point: Point, at: Sequence[float], used: Sequence[Bbox], others: Sequence[Move]
) -> Bbox:
    colour, weight = (OURS, "bold") if point.ours else (INK, "normal")
    text = made.annotate(point.name, (point.x, point.y), (0, 0), textcoords="offset points",
                         color=colour, weight=weight, fontsize=SMALL, ha="center",
                         va="center", zorder=4)  # fmt: skip
    size = text.get_window_extent()
    best = min(_places(size), key=lambda move: _cost(made, size, move, used, others))
    text.set_position(best)
    box = size.translated(*best)
    x, y = (float(np.clip(0, low - own, high - own))
            for low, high, own in zip(box.min, box.max, at, strict=True))  # fmt: skip
    if hypot(x, y) > NEAR:
        made.annotate("", (point.x, point.y), (x, y), textcoords="offset points",
                      arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6,
                                  "shrinkA": 0, "shrinkB": 4})  # fmt: skip
    return box


def _places(size: Bbox) -> Iterator[tuple[float, float]]:
    """Where the middle of a name may stand from its point: on frames around it."""
    for out in range(0, 100, 4):
        x, y = (POINT + 2 * MARGIN + out + side / 2 for side in size.size)
        for part in (0.0, -0.25, 0.25, -0.5, 0.5, -0.75, 0.75, -1.0, 1.0):
            yield from ((x, part * y), (-x, part * y), (part * x, y), (part * x, -y))


def _cost(
    made: Axes, size: Bbox, move: Move, used: Sequence[Bbox], others: Sequence[Move]
) -> float:
    """How far it stands, more where another point is nearer, most for what it covers or leaves."""
    box, inside = size.translated(*move), made.get_window_extent()
    covered = sum(box.padded(MARGIN).overlaps(other) for other in used)
    outside = box.x0 < inside.x0 or box.x1 > inside.x1 or box.y0 < inside.y0 or box.y1 > inside.y1
    far = _gap(size, move, (0, 0))
    nearer = any(_gap(size, move, other) < far + MARGIN for other in others)
    return 1000.0 * (covered + outside) + 200.0 * nearer + far


def _gap(size: Bbox, move: Move, to: Move) -> float:
    """From a name, whose middle stands so far from its point, to a place."""
    sides = zip(move, to, size.size, strict=True)
    return hypot(*(max(0.0, abs(at - other) - side / 2) for at, other, side in sides))
