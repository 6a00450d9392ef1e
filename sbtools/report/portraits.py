"""The pictures of one result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from sbtools.report.plots import BEHIND, GRID, INK, MUTED, SERIES, SMALL, SURFACE, WIDTH, axes, svg
from sbtools.report.runs import Run, View
from sbtools.words import short

DROPS, NAMED = 16, 24
TINT = (66, 132, 210)
PLAIN, BOXED = "plain", "person-box"
NO_CLASS = "(no class)"


def views(run: Run) -> str:
    """top1 of every view with its interval, chance, and top1 of plain as a line."""
    names = list(run.views)
    made = axes(34 + 22 * len(names), left=98, bottom=28, top=6)
    for place, name in enumerate(names):
        measure = run.views[name].top1
        if measure.value is None:
            continue
        if measure.low is not None and measure.high is not None:
            made.plot([100 * measure.low, 100 * measure.high], [place] * 2, color=SERIES[0],
                      linewidth=2, alpha=0.55)  # fmt: skip
        made.plot(100 * measure.value, place, "o", color=SERIES[0], markersize=6.5,
                  markeredgecolor=SURFACE)  # fmt: skip
        if measure.band:
            made.plot([100 * end for end in measure.band], [place + 0.3] * 2, color=SERIES[0],
                      linewidth=0.8)  # fmt: skip
    plain = run.views[PLAIN].top1.value if PLAIN in run.views else None
    if plain is not None:
        made.axvline(100 * plain, color=SERIES[0], linewidth=0.8, alpha=0.6)
    made.axvline(100 / max(run.among, 1), color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
    made.set_yticks(range(len(names)), [short(name, 15) for name in names])
    made.set_ylim(len(names) - 0.4, -0.6)
    made.grid(True, axis="x")
    return svg(made, f"top1 of {len(names)} views of {run.name}, in percent")


def drops(run: Run) -> str:
    """By class: top1 of plain, of the view of P-top1, and of person-box; the widest drops first."""
    others = [name for name in (run.p_view, BOXED) if name in run.views and name != PLAIN]
    if PLAIN not in run.views or not others:
        return ""
    order = dropped(run, others[0])
    shown = order if len(order) <= NAMED else [*order[: DROPS // 2], *order[-(DROPS // 2) :]]
    made = axes(30 + 28 * len(shown), left=10, bottom=26, top=4)
    for place, number in enumerate(shown):
        values = [run.views[name].per_class[number] for name in (PLAIN, *others)]
        known = [100 * value for value in values if value is not None]
        made.plot([min(known), max(known)], [place + 0.22] * 2, color=GRID, linewidth=2)
        for value, marker, colour in zip(values, "os^", SERIES, strict=False):
            if value is not None:
                made.plot(100 * value, place + 0.22, marker, color=colour, markersize=6.5,
                          markeredgecolor=SURFACE, alpha=0.9)  # fmt: skip
        name = f"{short(run.classes[number], 38)}  ({run.views[PLAIN].counts[number]})"
        made.text(0, place - 0.2, name, transform=made.get_yaxis_transform(), color=INK,
                  fontsize=SMALL, va="center", bbox=BEHIND)  # fmt: skip
    if len(shown) < len(order):
        made.axhline(DROPS // 2 - 0.5, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
    made.set_ylim(len(shown) - 0.45, -0.5)
    made.set_xlim(-3, 103)
    made.set_yticks([])
    made.spines["left"].set_visible(False)
    return svg(made, f"top1 by class of {run.name}, in percent")


def dropped(run: Run, view: str) -> list[int]:
    """The classes with clips, from the largest loss from plain to `view` to the largest gain."""
    pairs = zip(run.views[PLAIN].per_class, run.views[view].per_class, strict=True)
    loss = {at: a - b for at, (a, b) in enumerate(pairs) if a is not None and b is not None}
    return sorted(loss, key=lambda at: -loss[at])


def confusion(run: Run, view: View) -> str:
    """Rows are labels, columns answers; a strong colour is a large share of a label's clips."""
    classes = len(run.classes)
    shares = np.zeros((classes, classes))
    for label, answer, count in view.confusion:
        if answer < classes:
            shares[label, answer] = count / max(view.counts[label], 1)
    picture = np.zeros((classes, classes, 4), np.uint8)
    picture[..., :3] = TINT
    picture[..., 3] = np.round(255 * np.clip(shares, 0, 1) ** 0.5)
    named = classes <= NAMED
    left = 110 if named else 34
    side = WIDTH - left - 12
    bottom = 30
    made = axes(side + bottom + 8, left=left, bottom=bottom)
    made.imshow(picture, interpolation="none", aspect="auto", extent=(0, classes, classes, 0))
    if named:
        made.set_yticks(np.arange(classes) + 0.5, [short(name, 17) for name in run.classes])
        made.tick_params(labelsize=SMALL if classes <= 16 else 7.5)
        made.set_xticks([])
    made.set_xlabel("answer, in the same order")
    for spine in made.spines.values():
        spine.set_visible(True)
    return svg(made, f"confusion of {classes} classes by {run.name}")


def confused(run: Run, view: View, most: int = 8) -> list[tuple[str, str, float, float]]:
    """The most frequent errors: label, answer, how many clips, and their share of the label's."""
    wrong = [cell for cell in view.confusion if cell[0] != cell[1] and cell[2] > 0]
    wrong.sort(key=lambda cell: -cell[2])
    return [
        (
            run.classes[label],
            [*run.classes, NO_CLASS][answer],
            count,
            count / max(view.counts[label], 1),
        )
        for label, answer, count in wrong[:most]
    ]


def curves(run: Run) -> list[tuple[str, str]]:
    """(title, picture) of each loss term together, and of top1 on held-out clips, by epoch."""
    losses: dict[str, list[tuple[float, float]]] = {}
    held_out: list[tuple[float, float]] = []
    for line in run.log:
        epoch, terms = _number(line.get("epoch")), line.get("losses")
        if epoch is None:
            continue
        for name, value in terms.items() if isinstance(terms, dict) else ():
            if (number := _number(value)) is not None:
                losses.setdefault(str(name), []).append((epoch, number))
        if (number := _number(line.get("val_top1"))) is not None:
            held_out.append((epoch, number))
    told = [("losses", losses), ("top1 on held-out clips (%)", {"": held_out})]
    return [(title, _lines(run, title, lines)) for title, lines in told if any(lines.values())]


def _lines(run: Run, title: str, lines: dict[str, list[tuple[float, float]]]) -> str:
    made = axes(190)
    for place, (name, points) in enumerate(list(lines.items())[: len(SERIES)]):
        colour = SERIES[place]
        x, y = zip(*points, strict=True)
        made.plot(x, y, "-" if len(x) > 1 else "o", color=colour, linewidth=1.8)
        if name:
            made.annotate(short(name, 14), (x[-1], y[-1]), xytext=(-2, 5), color=colour,
                          textcoords="offset points", fontsize=SMALL, ha="right")  # fmt: skip
    made.set_xlabel("epoch")
    made.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    made.margins(y=0.15)
    made.grid(True, axis="y")
    return svg(made, f"{title} of {run.name} by epoch")


def _number(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) and abs(value) < 1e300 else None


def names(run: Run) -> Sequence[str]:
    """The views whose confusion is shown: plain and that of P-top1."""
    return [name for name in dict.fromkeys((PLAIN, run.p_view)) if name in run.views]
