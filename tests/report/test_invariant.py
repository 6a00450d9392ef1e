"""SCUBA - SCUFO <= contrasted <= SCUBA: no answers break it, and one published row does."""

from __future__ import annotations

from itertools import product

import pytest

from sbtools.report import published_notes
from sbtools.report.invariant import broken
from sbtools.report.published import ALBAR, rows

UCF = "UCF101 (updated protocol)"
STILLMIX = "SCUBA - SCUFO = 24.32 exceeds contrasted 24.10 by 0.22 points"
"""24.68 less 0.36, as the slides print them."""


def test_no_answers_to_pairs_break_it() -> None:
    """Every way to answer three pairs: SCUBA right or wrong, SCUFO right or wrong."""
    for answers in product(product((0, 1), repeat=2), repeat=3):
        scuba, scufo = (100 * sum(pair[side] for pair in answers) / 3 for side in (0, 1))
        alone = 100 * sum(one and not other for one, other in answers) / 3
        assert broken(scuba, scufo, alone, 0) == ""


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ((24.68, 0.36, 24.10), STILLMIX),
        ((50.0, 10.0, 40.0), ""),
        ((50.0, 10.0, 39.99), ""),
        ((50.0, 10.0, 39.98), "SCUBA - SCUFO = 40.00 exceeds contrasted 39.98 by 0.02 points"),
        ((50.0, 10.0, 50.01), ""),
        ((50.0, 10.0, 50.02), "contrasted 50.02 exceeds SCUBA 50.00 by 0.02 points"),
        ((10.0, 50.0, 0.0), ""),
    ],
)
def test_rounding_may_miss_it_by_a_hundredth(
    numbers: tuple[float, float, float], told: str
) -> None:
    assert broken(*numbers) == told


def test_one_row_of_the_slides_breaks_it_and_stands_under_its_table_alone() -> None:
    whole = [row for row in rows() if {"scuba_avg", "scufo_avg", "contrasted"} <= {*row.numbers}]
    assert len(whole) == 9 + 3 + 3
    assert [(row.table, row.method) for row in whole if published_notes.breaks(row)] == [
        (UCF, "stillmix")
    ]
    line = f"{UCF}, stillmix: {STILLMIX}"
    for table in ("HMDB51", "Kinetics400", UCF):
        found = [row for row in rows() if (row.source, row.table) == (ALBAR, table)]
        told = [note for note in published_notes.notes(found[:1]) if note.startswith(line)]
        assert len(told) == (table == UCF)
        assert all("more than rounding explains" in note for note in told)
