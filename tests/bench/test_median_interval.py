"""The interval that benches judge by, against scipy's binomial."""

from __future__ import annotations

import pytest
from scipy.stats import binom

from tests.bench.intervals import median_interval


@pytest.mark.parametrize("count", [6, 8, 9, 15, 21, 40])
def test_the_innermost_order_statistics_that_hold_the_median(count: int) -> None:
    """The median of n values lies below the k-th smallest with P(X < k), X of n and 1/2."""
    values = [float(number * 11 % count) for number in range(count)]
    middle, low, high = median_interval(values)
    assert middle == (count - 1) / 2 and low + high == count - 1
    assert 1 - 2 * binom.cdf(low, count, 0.5) >= 0.95 or low == 0
    assert 1 - 2 * binom.cdf(low + 1, count, 0.5) < 0.95


def test_nine_pairs_are_judged_by_the_second_and_the_eighth() -> None:
    assert median_interval([9, 1, 8, 2, 7, 3, 6, 4, 5]) == (5, 2, 8)
    assert median_interval([3, 1, 2]) == (2, 1, 3) and median_interval([4]) == (4, 4, 4)
