"""Frames of one camera setting, told apart by their colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sbtools.detect.base import Image
from sbtools.detect.view import View

SAME_SHOT = 0.5
"""Least share of the colour histogram that successive frames of a shot have in common."""


def shots(view: View, numbers: Sequence[int], most: int | None = None) -> Iterator[list[int]]:
    """The frames in runs of one shot each, in order, of `most` frames at most."""
    run: list[int] = []
    last: NDArray[np.float64] | None = None
    for number in numbers:
        now = histogram(view.rgb(number))
        ends = last is not None and float(np.minimum(last, now).sum()) < SAME_SHOT
        if run and (ends or len(run) == most):
            yield run
            run = []
        run.append(number)
        last = now
    if run:
        yield run


def histogram(rgb: Image) -> NDArray[np.float64]:
    """The share of each of 64 colours in uint8 [h, w, 3]: float64 [64]."""
    code = (rgb >> 6).astype(np.int64).reshape(-1, 3) @ (16, 4, 1)
    return np.bincount(code, minlength=64) / len(code)
