"""The list of metrics in sbtools-result(5), made of the table:

python -m sbtools.evaluate.manual man/sbtools-result.5
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from sbtools.evaluate.catalogue import KIND, METRICS
from sbtools.evaluate.metric import P_VIEW, RATIO, Metric
from sbtools.files import write_whole

FIRST = '.\\" made by python -m sbtools.evaluate.manual:\n'
LAST = '.\\" up to here\n'
NAMES = {"flip": "flip_VARIANT", "variant": "top1_VARIANT"}


def listed() -> str:
    """Every metric that may stand in `metrics`, as the manual has it: roff."""
    named = [(NAMES.get(name, name), row) for name, row in METRICS.items() if row.views]
    return "".join(_entry(name, row) for name, row in named)


def _entry(name: str, row: Metric) -> str:
    told = ["a ratio"] if row.unit == RATIO else []
    told.append("the P view" if row.views[0] == P_VIEW else f"view {row.views[0]}")
    told += [f"where records have {field}" for field in row.fields]
    told += [f"{row.direction} is better"] if row.direction else []
    whole = "; ".join(told)
    sentences = [row.about, f"{whole[0].upper()}{whole[1:]}."]
    if row.by == KIND:
        sentences.append("Every background kind weighs the same, however many clips it has.")
    if row.source:
        sentences.append(f"Source: {row.source}.")
    text = textwrap.fill(" ".join(sentences), 96, break_on_hyphens=False)
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f".TP\n.B {name}\n{text}\n"


def put(page: str) -> str:
    """The page with the list as the table has it; ValueError where its marks are missing."""
    before, _, rest = page.partition(FIRST)
    _, last, after = rest.partition(LAST)
    if not last:
        raise ValueError("the page has no marks to put the list between")
    return f"{before}{FIRST}{listed()}{LAST}{after}"


if __name__ == "__main__":
    place = Path(sys.argv[1])
    write_whole(str(place), put(place.read_text("utf-8")).encode())
