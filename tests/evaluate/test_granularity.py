"""Against rounding every count, and what is known of published tables."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest

from sbtools.errors import UsageError
from sbtools.evaluate.granularity import by_chance, counts, exact, sizes

KINETICS = "74.42 61.55 19.33 73.60 61.39 37.99 72.41 61.23 42.52 67.64 55.59 41.69 63.73 52.30 " \
    "18.38 63.77 52.38 36.23 63.32 50.66 36.60 52.67 40.87 34.17".split()  # fmt: skip


@pytest.mark.parametrize("clips", [1, 3, 7, 8, 16, 96])
@pytest.mark.parametrize("decimals", [0, 1, 2])
def test_the_counts_are_those_that_round_to_the_value(clips: int, decimals: int) -> None:
    step = Decimal(1).scaleb(-decimals)
    made: dict[str, set[int]] = {}
    for count in range(clips + 1):
        share = Decimal(100 * count) / clips
        for rounding in (ROUND_HALF_UP, ROUND_HALF_EVEN):
            made.setdefault(str(share.quantize(step, rounding)), set()).add(count)
    for value, found in made.items():
        assert found <= set(counts(value, clips))
        half = Fraction(1, 2 * 10**decimals)
        shares = (abs(Fraction(100 * c, clips) - Fraction(value)) for c in range(clips + 1))
        assert list(counts(value, clips)) == [c for c, away in enumerate(shares) if away <= half]
    total = 100 * 10**decimals + 1
    fits = sum(bool(counts(str(place * step), clips)) for place in range(total))
    assert fits / total <= 2 * by_chance(clips, decimals)


def test_published_numbers_and_their_clips() -> None:
    assert list(counts("16.49", 576)) == [95] and not counts("16.50", 576)
    assert list(counts("16.5%", 200)) == [33]
    assert list(counts(16.5, 576)) == [] and list(counts("16.5", 576)) == [95]
    assert sizes(KINETICS, 2600, start=2300) == [2432]
    assert sizes(["19.23", "5.45", "13.30"], 720, start=560) == [624]
    assert all(counts(value, 576) for value in ("20.31", "7.47", "16.32", "25.35", "8.85"))


def test_a_half_counts_from_both_sides() -> None:
    assert list(counts("12", 8)) == [1] and list(counts("13", 8)) == [1]
    assert list(counts("0", 8)) == [0] and list(counts("100", 8)) == [8]


def test_a_percentage_and_its_decimals() -> None:
    assert exact("16.50")[1] == 2 and exact("16.5")[1] == 1 and exact("16")[1] == 0
    assert exact(16.5)[1] == 2 and exact("16.5", 3)[1] == 3
    assert exact("16.50")[0] == exact(16.5)[0]
    assert by_chance(576) == pytest.approx(577 / 10001) and by_chance(20000) == 1


@pytest.mark.parametrize("value", ["x", "", "101", "-1", "1/3", "nan", "inf", "1e1"])
def test_what_is_no_percentage_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="not a percentage"):
        exact(value)


def test_no_clips_have_no_shares() -> None:
    with pytest.raises(UsageError, match="0 clips"):
        counts("1.0", 0)
