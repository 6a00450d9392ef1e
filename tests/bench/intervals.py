"""The median of few ratios, and an interval that needs no distribution."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from statistics import median

LEVEL = 0.95


def median_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The median with the ends of its interval: the innermost order statistics that hold it with
    95 %, which are the second and the eighth of 9; with fewer than 6 values the ends of all.

    The median lies between the k-th smallest and the k-th largest of n with 1 - 2 P(X < k), X
    binomial of n and 1/2.
    """
    ordered, count = sorted(values), len(values)
    place = 0
    while 2 * (place + 1) < count and _holds(count, place + 1) >= LEVEL:
        place += 1
    return median(ordered), ordered[place], ordered[count - 1 - place]


def _holds(count: int, place: int) -> float:
    below = sum(comb(count, number) for number in range(place + 1))
    return 1 - 2 * below / 2**count
