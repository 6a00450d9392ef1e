"""Which numbers of clips can a published percentage come from?

The share of n clips is k / n for a whole k; printed with d decimals it can be one of n + 1 values
only. What no k makes was not measured on n clips, or not rounded as usual.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from sbtools.errors import UsageError

Percent = str | float | int


def exact(value: Percent, decimals: int | None = None) -> tuple[Fraction, int]:
    """A printed percentage as a fraction, and its decimals: those of the text, or as given.

    A float has the decimals that are given, by default 2. UsageError for what is no percentage.
    """
    text = str(value).strip().removesuffix("%").strip()
    try:
        number = Fraction(text)
    except (ValueError, ZeroDivisionError):
        number = Fraction(-1)
    if not 0 <= number <= 100 or "/" in text or "e" in text.lower():
        raise UsageError(f"'{value}' is not a percentage, as in 16.50")
    if decimals is None:
        decimals = len(text.partition(".")[2]) if isinstance(value, str) else 2
    return number, decimals


def counts(value: Percent, clips: int, decimals: int | None = None) -> range:
    """The numbers k of `clips` whose percentage, rounded, is `value`; both ends of a half count."""
    if clips < 1:
        raise UsageError(f"a share of {clips} clips is not defined")
    number, places = exact(value, decimals)
    half = Fraction(1, 2 * 10**places)
    first = math.ceil((number - half) * clips / 100)
    last = math.floor((number + half) * clips / 100)
    return range(max(first, 0), min(last, clips) + 1)


def sizes(
    values: Sequence[Percent], up_to: int, decimals: int | None = None, start: int = 1
) -> list[int]:
    """The numbers of clips from `start` to `up_to` that can have made all of the values."""
    return [
        clips
        for clips in range(start, up_to + 1)
        if all(counts(value, clips, decimals) for value in values)
    ]


def by_chance(clips: int, decimals: int = 2) -> float:
    """The share of all percentages of so many decimals that `clips` clips can make: 0 to 1.

    Near 1 a fit says nothing.
    """
    return min(1.0, (clips + 1) / (100 * 10**decimals + 1))
