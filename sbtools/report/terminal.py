"""The tables for a reader at a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Drawn
from rich.text import Text

from sbtools.report.grid import Grid, stacked
from sbtools.words import visible

NAMES, MARGIN = 16, 2


def drawn(grids: Iterable[Grid], width: int) -> str:
    """The tables in so many columns of characters, with the colours of a terminal."""
    out = Console(file=io.StringIO(), force_terminal=True, width=width, highlight=False)
    for found in grids:
        count = fitting(found, width)
        out.print(_table(found, count))
        left = found.head[1 + count :]
        more = [f"not shown for want of room: {', '.join(left)}"] if left else []
        for note in [*found.notes, *more]:
            out.print(Text(visible(note), style="dim"))
    return str(out.file.getvalue())  # type: ignore[attr-defined]


def fitting(found: Grid, width: int) -> int:
    """How many columns, beside that of the names, stand side by side unbroken; at least one."""
    names = max(cell_len(visible(line.name)) for line in found.lines)
    room = width - 2 * MARGIN - min(names, NAMES)
    for place, title in enumerate(found.head[1:]):
        texts = [title, *(text for line in found.lines for text in stacked(*line.cells[place]))]
        room -= MARGIN + max(map(cell_len, texts))
        if room < 0:
            return max(1, place)
    return len(found.head) - 1


def _table(found: Grid, count: int) -> Drawn:
    title = Text(visible(found.title), style="bold")
    made = Drawn(title=title, title_justify="left", box=SIMPLE_HEAD)
    for place, head in enumerate(found.head[: 1 + count]):
        made.add_column(
            Text(visible(head)), justify="right" if place else "left", no_wrap=place > 0
        )
    for line in found.lines:
        style = "dim" if line.place else ""
        cells = [[visible(line.name), line.place], *(stacked(*c) for c in line.cells[:count])]
        made.add_row(*(_cell(cell, style) for cell in cells))
    return made


def _cell(lines: Sequence[str], style: str) -> Text:
    text = Text(lines[0], style=style)
    for line in filter(None, lines[1:]):
        text.append(f"\n{line}", style="dim")
    return text
