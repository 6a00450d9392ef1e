#!/usr/bin/env python
"""The table of examples/card-rule.py: how often the verdict of a card is right, wrong, or neither.

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

FREE, BIASED, CLOTHES = "s00c00", "s90c00", "s00c90"
"""The cells where nothing tells of the action, and where background, or clothes, do in 9 of 10."""

SCENE = ("scene", "either")
"""The verdicts that say that the scene is enough."""
WRONG = (*SCENE, "clothes", "objects")
STILL, MOTION = "still", "motion"
DECIDED = 6
"""The last of the seeds on which the rule was decided."""
MARK = ('.\\" made by examples/card_rule_table.py\n.EX\n', ".EE\n")
Line = Mapping[str, Any]


@dataclass(frozen=True)
class Count:
    """Models of one cell on clips of one cell: of how many the verdict is right, and wrong."""

    title: str
    cell: str
    tested: str
    masks: bool
    right: Sequence[str]
    wrong: Sequence[str]

    def of(self, lines: Iterable[Line], clips: int) -> tuple[int, int, int]:
        """Right, wrong, and all, on so many clips."""
        codes = [line["code"] for line in lines if self.has(line) and line["clips"] == clips]
        right, wrong = (sum(code in kinds for code in codes) for kinds in (self.right, self.wrong))
        return right, wrong, len(codes)

    def has(self, line: Line) -> bool:
        """Whether a line is of these models, clips and views."""
        return (line["cell"], line["tested"], line["masks"]) == (self.cell, self.tested, self.masks)


COUNTS = (
    Count("scene .9", BIASED, BIASED, True, ("scene",), ("people", "clothes", "objects")),
    Count("clothes .9", CLOTHES, CLOTHES, True, ("clothes",), SCENE),
    Count("no bias", FREE, FREE, True, ("people",), WRONG),
    Count("no bias, on scene .9", FREE, BIASED, True, ("people",), WRONG),
    Count("scene .9, no masks", BIASED, BIASED, False, (STILL,), (MOTION,)),
    Count("no bias, no masks", FREE, FREE, False, (MOTION,), (STILL,)),
)


def table(lines: Sequence[Line]) -> list[str]:
    """Lines of text: of each kind of models, by the number of clips, right, wrong and neither."""
    sizes = sorted({line["clips"] for line in lines})
    part = (("seeds", lines), ("of these not used to decide the rule", _later(lines)))
    made = []
    for title, some in part if _later(lines) else part[:1]:
        seeds = len({line["seed"] for line in some})
        made += [f"Verdicts right / wrong / neither, {title}: {seeds}"]
        made += [f"{'clips':<22}" + "".join(f"{size:>12}" for size in sizes)]
        made += [*_rows(some, sizes), ""]
    return made[:-1]


def _later(lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if line["seed"] > DECIDED]


def _rows(lines: Sequence[Line], sizes: Sequence[int]) -> Iterator[str]:
    for count in COUNTS:
        cells = []
        for size in sizes:
            right, wrong, models = count.of(lines, size)
            cells.append(f"{right}/{wrong}/{models - right - wrong}" if models else "-")
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
