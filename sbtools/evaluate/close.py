"""Numbers of a result held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.evaluate.metrics import Floats

TOLERANCE = 1e-9
"""Of shares: sums over clips in another order."""


def numbers(values: Sequence[float | None]) -> Floats:
    """float64; NaN for null."""
    return np.array([np.nan if value is None else value for value in values], np.float64)


def same(one: NDArray[Any], other: NDArray[Any], scale: float = 1.0) -> bool:
    """Whether all are alike; NaN is like NaN."""
    return bool(np.allclose(one, other, rtol=0, atol=TOLERANCE * scale, equal_nan=True))


def equal(told: float | None, value: float, scale: float = 1.0) -> bool:
    """Whether a number is there and is the value, or is null where the value is NaN."""
    return same(numbers([told]), np.array([value]), scale)
