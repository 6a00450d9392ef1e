"""Where in and around its box a shape is expected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sbtools.detect.boxes import Xyxy

INSIDE, CORNER, OUTSIDE, FAR = 1.2, -0.5, -0.7, -5.0
"""Log odds of the shape: on the silhouette, in the box beside it, just outside, and far away."""
FADE = 0.8
"""How far outside the box, in its mean side, FAR is reached."""


def odds(boxes: Sequence[Xyxy], height: int, width: int, person: bool) -> NDArray[np.float32]:
    """Log odds of belonging to any of the shapes: float32 [height, width], boxes in its pixels."""
    best = np.full((height, width), FAR, np.float32)
    for box in boxes:
        np.maximum(best, of_box(box, height, width, person), out=best)
    return best


def of_box(box: Xyxy, height: int, width: int, person: bool) -> NDArray[np.float32]:
    """Log odds of one shape, float32 [height, width]."""
    x0, y0, x1, y1 = box
    wide, high = max(x1 - x0, 1.0), max(y1 - y0, 1.0)
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    beside = np.maximum(np.maximum(x0 - x, x - x1), 0)[None]
    above = np.maximum(np.maximum(y0 - y, y - y1), 0)[:, None]
    away = np.hypot(beside, above) / (FADE * (wide * high) ** 0.5)
    u, v = ((x - x0) / wide)[None], ((y - y0) / wide)[:, None]
    if person and high > 0.9 * wide:
        fit = _silhouette(u, v, high / wide, head=y0 > 0.01 * height)
    else:
        fit = 1.3 - 2 * np.maximum((2 * u - 1) ** 2 + (2 * v * wide / high - 1) ** 2 - 0.5, 0)
    within = np.clip(fit, 0, 1) * (INSIDE - CORNER) + CORNER
    outside = OUTSIDE + np.minimum(away, 1) * (FAR - OUTSIDE)
    return np.where(away > 0, outside, within).astype(np.float32)


def _silhouette(
    u: NDArray[np.floating], v: NDArray[np.floating], tall: float, head: bool
) -> NDArray[np.floating]:
    """An upright person in a box, 1 inside, falling to 0 beside it.

    `u` and `v` count from the box's upper left corner in box widths, `tall` is its height in these:
    a head a third as wide as the shoulders, and legs where the box is tall enough to show them.
    """
    side = np.abs(u - 0.5)
    body = np.where(v > 1.5, 0.36, 0.42) if tall > 2 else np.full_like(v, 0.42)
    trunk = np.minimum((body - side) / 0.15, (v - (0.3 if head else -1.0)) / 0.12)
    crown = (1 - ((u - 0.5) / 0.22) ** 2 - ((v - 0.24) / 0.27) ** 2) * 2
    return np.maximum(trunk, crown) if head else trunk
