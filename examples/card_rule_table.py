#!/usr/bin/env python
"""The table of examples/card-rule.py: how often the verdict of a card is right, wrong, or open.

    python examples/card_rule_table.py [--page man/sbtools-card.1] VALUES.jsonl

--page puts it into a manual page, between its marks.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FREE, BIASED = "s00c00", "s90c00"
"""The cell in which the background tells nothing of the action, and that where it does in 9 of 10."""

SCENE, OPEN = ("scene", "either"), "open"
"""The verdicts that say that the scene is enough."""
STILL, MOTION = "still", "motion"
DECIDED = 6
"""The last of the seeds on which the rule was decided."""
MARK = ('.\\" made by examples/card_rule_table.py\n.EX\n', ".EE\n")
Line = Mapping[str, Any]


@dataclass(frozen=True)
class Count:
    """Models of one cell on clips of one cell: of how many the verdict is right, wrong and open."""

    title: str
    cell: str
    tested: str
    masks: bool
    right: Sequence[str]
    wrong: Sequence[str]

    def of(self, lines: Iterable[Line], clips: int) -> tuple[int, int, int, int]:
        """Right, wrong, open, and all, on so many clips."""
        codes = [line["code"] for line in lines if self.has(line) and line["clips"] == clips]
        told = (sum(code in kinds for code in codes) for kinds in (self.right, self.wrong, (OPEN,)))
        right, wrong, left = told
        return right, wrong, left, len(codes)

    def has(self, line: Line) -> bool:
        """Whether a line is of these models, clips and views."""
        return (line["cell"], line["tested"], line["masks"]) == (self.cell, self.tested, self.masks)


COUNTS = (
    Count(
        "scene .9, own clips", BIASED, BIASED, True, ("scene",), ("people", "clothes", "objects")
    ),
    Count("scene 0, own clips", FREE, FREE, True, ("people",), SCENE),
    Count("scene 0, clips of .9", FREE, BIASED, True, ("people",), SCENE),
    Count("scene .9, no masks", BIASED, BIASED, False, (STILL,), (MOTION,)),
    Count("scene 0, no masks", FREE, FREE, False, (MOTION,), (STILL,)),
)


def table(lines: Sequence[Line]) -> list[str]:
    """Lines of text: of each kind of models, by the number of clips, right, wrong and open."""
    sizes = sorted({line["clips"] for line in lines})
    part = (("all seeds", lines), ("seeds that did not decide the rule", _later(lines)))
    made = []
    for title, some in part:
        seeds = len({line["seed"] for line in some})
        made += [f"Verdicts, {seeds} models a row: right / wrong / open. {title.capitalize()}"]
        made += [f"{'clips':<22}" + "".join(f"{size:>12}" for size in sizes)]
        made += list(_rows(some, sizes)) + [""]
    return made[:-1]


def _later(lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if line["seed"] > DECIDED]


def _rows(lines: Sequence[Line], sizes: Sequence[int]) -> Iterator[str]:
    for count in COUNTS:
        cells = []
        for size in sizes:
            right, wrong, left, _ = count.of(lines, size)
            cells.append(f"{right}/{wrong}/{left}")
        yield f"{count.title:<22}" + "".join(f"{cell:>12}" for cell in cells)


def read(path: Path) -> list[Line]:
    """The lines of values.jsonl."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def put(page: Path, lines: Iterable[str]) -> None:
    """The lines between the marks of a manual page."""
    before, mark, rest = page.read_text().partition(MARK[0])
    _, end, after = rest.partition(MARK[1])
    if not mark or not end:
        sys.exit(f"{page} has no marks of this table")
    text = "".join(line.replace("-", "\\-") + "\n" for line in lines)
    page.write_text(before + mark + text + end + after)


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("values", type=Path)
    asked.add_argument("--page", type=Path)
    given = asked.parse_args()
    made = table(read(given.values))
    if given.page:
        put(given.page, made)
    sys.stdout.write("\n".join(made) + "\n")


if __name__ == "__main__":
    main()
