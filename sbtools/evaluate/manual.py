"""The lists of metrics in sbtools-result(5), of protocols in sbtools-eval(1), and of what a recipe
has in sbtools-extend(7), of their tables:

python -m sbtools.evaluate.manual man/sbtools-result.5 man/sbtools-eval.1 man/sbtools-extend.7
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from sbtools.evaluate import of_features
from sbtools.evaluate.catalogue import KIND, METRICS
from sbtools.evaluate.metric import DIFFERENCE, NUMBER, P_VIEW, RATIO, Metric
from sbtools.files import write_whole
from sbtools.models.recipe import FIELDS, Recipe
from sbtools.protocols import BACKGROUNDS, PROTOCOLS, SHOWN, Protocol, find

FIRST = '.\\" made by python -m sbtools.evaluate.manual:\n'
LAST = '.\\" up to here\n'
UNITS = {RATIO: "a ratio", NUMBER: "a number", DIFFERENCE: "a difference (-1 to 1)"}
NAMES = {"flip": "flip_VARIANT", "variant": "top1_VARIANT"}


def listed() -> str:
    """Every metric that may stand in `metrics`, as the manual has it: roff."""
    named = [(NAMES.get(name, name), row) for name, row in METRICS.items() if row.views]
    return "".join(_entry(name, row) for name, row in named) + _of_features()


def _entry(name: str, row: Metric) -> str:
    told = [UNITS[row.unit]] if row.unit in UNITS else []
    told.append("the P view" if row.views[0] == P_VIEW else f"view {row.views[0]}")
    told += [f"where records have {field}" for field in row.fields]
    told += [f"{row.direction} is better"] if row.direction else []
    whole = "; ".join(told)
    sentences = [row.about, f"{whole[0].upper()}{whole[1:]}."]
    if row.by == KIND:
        sentences.append("Every background kind weighs the same, however many clips it has.")
    if row.source:
        sentences.append(f"Source: {row.source}.")
    return f".TP\n.B {name}\n{_roff(_filled(' '.join(sentences)))}\n"


def _filled(text: str) -> str:
    return textwrap.fill(text, 96, break_on_hyphens=False)


def _roff(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-")


def _of_features() -> str:
    """Those of features, which stand in what the command that is named prints: roff."""
    told = ""
    for name, row in of_features.ROWS.items():
        better = f"; {row.direction} is better" if row.direction else ""
        where = f"Printed by sbtools {row.group}{better}. Source: {row.source}."
        told += f".TP\n.B {name}\n{_roff(_filled(f'{row.about} {where}'))}\n"
    return told


def protocols() -> str:
    """Every protocol of sbtools, as the manual has it: roff."""
    return "".join(_protocol(name, find(name)) for name in PROTOCOLS)


def _protocol(name: str, protocol: Protocol) -> str:
    about, _, source = protocol.about.partition(", as ")
    usual, apart = _shown(protocol), dict[str, list[str]]()
    for variant in protocol.variants:
        own = [part for part in _shown(protocol, variant) if part not in usual]
        apart.setdefault("; ".join(own), []).append(variant)
    sentences = [f"{about}: {'; '.join(usual)}."]
    sentences += [f"Of variant {', '.join(names)}: {own}." for own, names in apart.items() if own]
    sentences.append(f"Source: {source.partition(' has ')[0]}.")
    return f".TP\n.B {_roff(name)}\n{_roff(_filled(' '.join(sentences)))}\n"


def _shown(protocol: Protocol, variant: str = "") -> list[str]:
    """How clips of a variant are shown, in words."""
    value = {name: protocol.value(name, variant) for name in (*SHOWN, "classes", BACKGROUNDS)}
    side = value["short"] or ("the input's" if value["crops"] == 3 else "256 / 224 of the input's")
    frames = value["frames"] or "the model's number of"
    told = [f"{frames} frames, {value['sampling']}"]
    told += [f"{name} {value[name]}" for name in ("clips", "crops")]
    told.append(f"squashed to {side} x {side}" if value["resize_test"] == "squash"
                else f"short side {side}, {value['resize_test']}")  # fmt: skip
    told += [f"{value['classes']} classes"] if value["classes"] else []
    kinds = value[BACKGROUNDS]
    return [*told, *([f"mean over {', '.join(kinds)}"] if isinstance(kinds, tuple) else [])]


def recipe() -> str:
    """Every field of a recipe, as the manual has it: roff."""
    usual = Recipe().describe()
    told = ""
    for name, field in FIELDS.items():
        values = ", ".join(field.values) if isinstance(field.values, tuple) else field.values
        text = f"{values}; default {usual[name]}. {field.about}"
        told += f".TP\n.B {name}\n{_roff(_filled(text))}\n"
    return told


def put(page: str, made: str | None = None) -> str:
    """The page with the list as the table has it, by default that of metrics; ValueError where its
    marks are missing."""
    before, _, rest = page.partition(FIRST)
    _, last, after = rest.partition(LAST)
    if not last:
        raise ValueError("the page has no marks to put the list between")
    return f"{before}{FIRST}{listed() if made is None else made}{LAST}{after}"


LISTS = {"sbtools-result.5": listed, "sbtools-eval.1": protocols, "sbtools-extend.7": recipe}
"""Page -> what makes its list."""

if __name__ == "__main__":
    for place in map(Path, sys.argv[1:]):
        text = put(place.read_text("utf-8"), LISTS[place.name]())
        write_whole(str(place), text.encode())
