"""Pictures as SVG that takes its colours from the page, so that light and dark are one file.

The drawing is matplotlib's; the colours below stand in for names that the page's style defines.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any, cast

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from sbtools.words import visible

INK, MUTED, GRID, SURFACE = "#010101", "#020202", "#030303", "#040404"
BEHIND: Any = {"facecolor": SURFACE, "edgecolor": "none", "pad": 0.8}
SERIES = ("#0a0101", "#0a0102", "#0a0103", "#0a0104", "#0a0105", "#0a0106")
COLOURS = {INK: "ink", MUTED: "muted", GRID: "grid", SURFACE: "raised"} | {
    colour: f"s{place}" for place, colour in enumerate(SERIES, 1)
}
WIDTH, SMALL = 340, 11
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sbtools",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 11.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": False,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
}


@contextmanager
def styled() -> Iterator[None]:
    """Everything is drawn within; a letter that the font lacks is the browser's to show."""
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def axes(height: float, left: float = 44, bottom: float = 38, top: float = 8) -> Axes:
    """One pair of axes on a picture of WIDTH x height; margins in the same unit, pixels."""
    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
    FigureCanvasSVG(figure)
    right = 12
    box = (left / WIDTH, bottom / height, 1 - (left + right) / WIDTH, 1 - (bottom + top) / height)
    made: Axes = figure.add_axes(box)
    made.tick_params(length=0)
    made.set_axisbelow(True)
    return made


def svg(made: Axes, told: str) -> str:
    """The picture as an element of a page; `told` is what it shows, for those who cannot see it."""
    out = io.StringIO()
    cast(Figure, made.get_figure(root=True)).savefig(
        out, format="svg", metadata={"Date": None, "Creator": None}
    )
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r"<style[^>]*>.*?</style>", "", text, flags=re.S)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", text)
    for colour, name in COLOURS.items():
        text = text.replace(colour, f"var(--{name})")
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text)
    height = size[2] if size else "300"
    head = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(visible(told))}" '
    rest = re.sub(r'^<svg[^>]*?xmlns:xlink="[^"]*"[^>]*>', "", text)
    links = 'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg">'
    return " ".join((head + links + rest).split("\n"))
