"""What is odd in published numbers, in words; every count in them is taken from the numbers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from math import sqrt

from sbtools.evaluate.granularity import counts
from sbtools.report import invariant
from sbtools.report.published import FITTED, Published, rows

BATCH = 32
STATED = {"mimetics": 713, "kinetics400": 2500}
"""Clips that the paper, or the data set, names."""


def notes(found: Sequence[Published]) -> list[str]:
    """What is odd in the tables that these rows are of."""
    about = [{row.table, row.dataset, row.split, row.protocol} for row in found]
    told = [told() if callable(told) else told
            for words, told in NOTES if any(each >= set(words) for each in about)]  # fmt: skip
    return [*told, *broken({(row.source, row.table) for row in found})]


def of(table: str, dataset: str, model: str = "") -> list[Published]:
    """The rows of a table, of one model or of all, in the order in which they are printed."""
    found = [row for row in rows() if (row.table, row.dataset) == (table, dataset)]
    return [row for row in found if row.model == (model or row.model)]


def broken(tables: Collection[tuple[str, str]]) -> list[str]:
    """The rows of these tables, (source, table), whose numbers no set of pairs can have."""
    return [
        f"{row.table}, {row.method}: {how}, more than rounding explains: no one set of pairs gives "
        "all three."
        for row in rows()
        if (row.source, row.table) in tables and (how := breaks(row))
    ]


def breaks(row: Published) -> str:
    """How a row breaks SCUBA - SCUFO <= contrasted <= SCUBA; empty where it lacks one of them."""
    told = (row.numbers.get(name) for name in ("scuba_avg", "scufo_avg", "contrasted"))
    values = [100 * one.value for one in told if one and one.value is not None]
    return invariant.broken(*values) if len(values) == 3 else ""


def fits_kinetics() -> str:
    """How many values of Table 3 can be shares of how many clips."""
    values = _values([("3", "kinetics400")])
    (fitted,) = FITTED["kinetics400"]
    stated = STATED["kinetics400"]
    return (
        f"Table 3, Kinetics: {_fitting(values, fitted)} of {len(values)} values fit counts of "
        f"{fitted} clips ({fitted // BATCH} x {BATCH}), {_fitting(values, stated)} of {stated}."
    )


def fits_mimetics() -> str:
    """The same of Tables 2 and 3, whose rows are not all on one set of clips."""
    tables = [("2", "mimetics"), ("3", "mimetics")]
    values = _values(tables)
    few, many = FITTED["mimetics"]
    neither = [value for value in values if not counts(value, few) and not counts(value, many)]
    more = len(values) - _fitting(values, few) - len(neither)
    apart = {table: sum(row.clips == many for row in of(table, name)) for table, name in tables}
    where = " and ".join(f"{n} rows of Table {table}" for table, n in apart.items() if n)
    stated = STATED["mimetics"]
    return (
        f"Mimetics: {_fitting(values, few)} of {len(values)} values fit counts of {few} clips "
        f"({few // BATCH} x {BATCH}), {more} more ({where}) only of {many}, {len(neither)} "
        f"({', '.join(f'{value:.2f}' for value in neither)}) neither; {_fitting(values, stated)} "
        f"of {stated}: a last batch was dropped or videos were missing, and the rows of Table 2 "
        f"are not all on one set of clips."
    )


def gains(table: str) -> str:
    """What the best masked row of each model gains, in clips of that row, and how sure that is."""
    told, errors = [], []
    for model in dict.fromkeys(row.model for row in of(table, "mimetics") if row.model):
        plain, *masked = of(table, "mimetics", model)
        before = _top1(plain)
        best = max(masked, key=_top1)
        clips = (best.clips or 0) * (_top1(best) - before)
        told.append(f"{clips:.0f} clips ({model})")
        errors.append(100 * sqrt(before * (1 - before) / (plain.clips or 1)))
    low, high = (f"{error:.1f}" for error in (min(errors), max(errors)))
    return (
        f"The largest gains on Mimetics in Table {table} are {' and '.join(told)}, with a binomial "
        f"standard error of {low if low == high else f'{low} to {high}'} points, and the epoch was "
        f"chosen on the same clips."
    )


def risen() -> str:
    """How many masked rows of Table 2 have more B-top1 than the row without masking."""
    up = count = 0
    for model in dict.fromkeys(row.model for row in of("2", "mimetics") if row.model):
        plain, *masked = (row.numbers["b_top1"].value or 0.0 for row in of("2", "mimetics", model))
        up, count = up + sum(value > plain for value in masked), count + len(masked)
    return (
        f'B-top1 rises with masking in {up} of the {count} masked rows of Table 2: "masking lowers '
        f'B-top1" holds for Table 1 and most of Table 3 only.'
    )


def _values(tables: Sequence[tuple[str, str]]) -> list[float]:
    """All percentages of these tables that are printed."""
    found = [number for table in tables for row in of(*table) for number in row.numbers.values()]
    return [round(100 * number.value, 2) for number in found if number.value is not None]


def _fitting(values: Sequence[float], clips: int) -> int:
    return sum(bool(counts(value, clips)) for value in values)


def _top1(row: Published) -> float:
    return row.numbers["top1"].value or 0.0


NOTES: tuple[tuple[tuple[str, ...], str | Callable[[], str]], ...] = (
    (("3", "kinetics400"), fits_kinetics),
    (("mimetics",), fits_mimetics),
    (("2", "mimetics"), lambda: gains("2")),
    (("3", "mimetics"), lambda: gains("3")),
    (("3", "mimetics"), "The text's \"1.56 for ViFi-CLIP\" is 19.27 - 17.71; against no masking "
     "it is 2.60."),
    (("2",), risen),
    (("4", "base"), "B-top1 rises with masking in the base classes of the fourth and fifth rows of "
     "Table 4."),
    (("base-to-novel",), "Means over three few-shot splits, each of the best epoch on the judged "
     "clips. The numbers of clips are those of the official lists; for Table 4 videos of fewer "
     "than 16 frames were dropped."),
    (("static-bias",), "SCUBA and SCUFO are averages over backgrounds. ALBAR is not first "
     "everywhere: StillMix is ahead in SCUBA on Kinetics (45.83, 44.75) and in ConflFG on UCF101 "
     "(55.03, 54.02)."),
    (("UCF101 (updated protocol)",), "In the updated protocol of UCF101 people are cut out by "
     "their shape; StillMix's release has their boxes, scene and all, and other numbers."),
)  # fmt: skip
"""What a row must be of, table, data set, split or protocol, and what is said then."""
