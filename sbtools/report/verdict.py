"""The verdict on a result (`sbtools.evaluate.verdict`) as one picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sbtools.evaluate.verdict import CLOTHES, MOST, OBJECTS, SCENE, SHUFFLED, STATIC
from sbtools.report.plots import BEHIND, INK, MUTED, SERIES, axes, svg

ROWS = {
    SCENE: "people hidden",
    "bg": "everything but the people hidden",
    "bg+obj": "everything but the people hidden",
    CLOTHES: "patches of their clothes alone",
    OBJECTS: "objects alone",
    STATIC: "one frame, shown all along",
    SHUFFLED: "frames in another order",
}
"""What a row says of its view, from the top down."""
FOLLOW = "scene of another class: taken for that class"
SELDOM = (CLOTHES, OBJECTS)
"""Views that are drawn only where most answers stay right in them."""
CAPTION = (
    "Of 100 answers that are right when everything is shown, so many stay right; before the "
    "scene of another class, of 100 clips so many are taken for that class. Line: 95 % "
    "interval. Dotted: by guessing. Dashed: halfway from there to all, where the verdict turns."
)


def drawn(told: Mapping[str, Any]) -> str:
    """A bar of each view, with its interval and the number; empty where there is none."""
    rows = {
        ROWS[view]: told["stay"][view] for view in ROWS if _wanted(told["stay"].get(view), view)
    }
    if told.get("follow"):
        rows = {FOLLOW: told["follow"], **rows}
    if not rows:
        return ""
    made = axes(30 + 42 * len(rows), left=10, bottom=26, top=4)
    for place, (name, one) in enumerate(rows.items()):
        _row(made, place, name, one)
    made.set_ylim(len(rows) - 0.4, -0.45)
    made.set_xlim(0, 100)
    made.set_yticks([])
    made.spines["left"].set_visible(False)
    return svg(made, told["text"])


def _wanted(one: Mapping[str, Any] | None, view: str) -> bool:
    return one is not None and one["value"] is not None and (
        view not in SELDOM or one["size"] == MOST
    )  # fmt: skip


def _row(made: Any, place: int, name: str, one: Mapping[str, Any]) -> None:
    value, bar = 100 * one["value"], place + 0.25
    made.barh(bar, value, height=0.3, color=SERIES[0], alpha=0.35)
    if one["interval"]:
        made.plot([100 * end for end in one["interval"]], [bar] * 2, color=INK, linewidth=2)
    for share, line in ((one["chance"], (0, (1, 2))), ((1 + one["chance"]) / 2, (0, (4, 3)))):
        made.plot([100 * share] * 2, [bar - 0.22, bar + 0.22], color=MUTED, linewidth=1.2,
                  linestyle=line)  # fmt: skip
    for text, at, side in ((name, 0, "left"), (f"{value:.0f}", 1, "right")):
        made.text(at, place - 0.17, text, transform=made.get_yaxis_transform(), color=INK, ha=side,
                  va="center", bbox=BEHIND, weight="bold" if at else "normal")  # fmt: skip
