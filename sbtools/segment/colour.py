"""What colours the people of a clip have, and what colours the rest."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sbtools.detect.base import Image

BINS = 24
LIMIT = 3.0
FLOOR = 0.02
MOST = 5.0
"""How much more the background may count than the shape for being larger: a colour that is mostly
seen away from the shape is background, however much of it lies in the boxes."""


class ColourModel:
    """Two smoothed Lab histograms, shared by the frames of a clip: the shape and the rest."""

    def __init__(self) -> None:
        self._counts = np.full((2, BINS**3), 0.0)

    def add(
        self, code: NDArray[np.int32], back: NDArray[np.float32], shape: NDArray[np.float32]
    ) -> None:
        """Counts pixels, by their `codes`, int [h * w]; `back` and `shape`, float32 [h, w] from 0
        to 1, are how much each tells about either side."""
        for side, votes in enumerate((back, shape)):
            self._counts[side] += np.bincount(code, votes.ravel(), BINS**3) / len(code)

    def odds(self) -> NDArray[np.float32]:
        """Log of how much likelier each colour is on the shape: float32 [BINS ** 3], in +-LIMIT."""
        back, shape = (smooth(side) for side in self._counts)
        back *= np.clip(back.sum() / max(shape.sum(), 1e-9), 1, MOST) / max(back.sum(), 1e-9)
        shape /= max(shape.sum(), 1e-9)
        both = back + shape
        seen = both / (both + 0.3 * both.mean() + 1e-12)
        ratio = np.log((shape + FLOOR * both + 1e-12) / (back + FLOOR * both + 1e-12))
        return np.asarray(np.clip(ratio * seen, -LIMIT, LIMIT), np.float32)


def codes(lab: Image) -> NDArray[np.int64]:
    """The histogram bin of each pixel of uint8 [h, w, 3]: int64 [h * w]."""
    light, a, b = (lab[..., i].astype(np.int64) for i in range(3))
    a, b = (np.clip((c - 128) * 2 + 128, 0, 255) for c in (a, b))
    return np.asarray(
        ((light * BINS >> 8) * BINS + (a * BINS >> 8)) * BINS + (b * BINS >> 8)
    ).ravel()


def smooth(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """A histogram [BINS ** 3] with every colour spread over its neighbours."""
    cube: NDArray[Any] = counts.reshape(BINS, BINS, BINS)
    for axis in range(3):
        flat = np.ascontiguousarray(np.moveaxis(cube, axis, 0)).reshape(BINS, -1)
        spread = cv2.GaussianBlur(flat, (1, 5), 0.9, borderType=cv2.BORDER_REPLICATE)
        cube = np.moveaxis(np.asarray(spread).reshape(BINS, BINS, BINS), 0, axis)
    return np.asarray(cube.reshape(-1), np.float64)
