"""Arithmetic of boxes: xyxy in pixels, x right and y down, as tuples or float [N, 4]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Xyxy = tuple[float, float, float, float]
TAIL = 0.02


def area(box: Xyxy) -> float:
    """Area in square pixels; 0 for a box that is turned inside out."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def overlap(a: Xyxy, b: Xyxy) -> float:
    """Area that both boxes cover, in square pixels."""
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def iou(a: Xyxy, b: Xyxy) -> float:
    """Intersection over union, 0 to 1; 0 where both boxes are empty."""
    both = overlap(a, b)
    return both / union if (union := area(a) + area(b) - both) > 0 else 0.0


def inside(a: Xyxy, b: Xyxy) -> float:
    """Share of the smaller box that lies in the other, 0 to 1."""
    least = min(area(a), area(b))
    return overlap(a, b) / least if least > 0 else 0.0


def hull(boxes: Sequence[Xyxy]) -> Xyxy:
    """The smallest box around all `boxes` (at least one)."""
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def mean(boxes: Sequence[Xyxy], weights: Sequence[float]) -> Xyxy:
    """The weighted mean of `boxes`, side by side."""
    x0, y0, x1, y1 = np.average(np.asarray(boxes, np.float64), axis=0, weights=weights).tolist()
    return x0, y0, x1, y1


def grow(box: Xyxy, share: float) -> Xyxy:
    """The box with `share` of its width and height added on every side."""
    dx, dy = share * (box[2] - box[0]), share * (box[3] - box[1])
    return box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy


def clip(box: Xyxy, height: int, width: int) -> Xyxy:
    """The part of the box that lies in a frame of `height` x `width` pixels."""
    x0, x1 = (min(max(v, 0.0), float(width)) for v in (box[0], box[2]))
    y0, y1 = (min(max(v, 0.0), float(height)) for v in (box[1], box[3]))
    return x0, y0, x1, y1


def suppress(boxes: Sequence[Xyxy], scores: Sequence[float], limit: float) -> list[int]:
    """Non-maximum suppression: indices that stay, best first; ties go to the earlier box."""
    kept: list[int] = []
    for i in np.argsort(-np.asarray(scores, np.float64), kind="stable").tolist():
        if all(iou(boxes[i], boxes[k]) <= limit for k in kept):
            kept.append(i)
    return kept


def raster(box: Xyxy, height: int, width: int) -> tuple[slice, slice]:
    """The rows and columns whose pixel centres lie in the box."""
    x0, y0, x1, y1 = np.ceil(np.asarray(clip(box, height, width)) - 0.5).astype(int).tolist()
    return slice(y0, y1), slice(x0, x1)


def core(weights: NDArray[np.float32]) -> Xyxy:
    """The box that leaves TAIL of the weights, float [h, w], beyond each side."""
    x0, x1 = _spread(weights.sum(0))
    y0, y1 = _spread(weights.sum(1))
    return x0, y0, x1, y1


def _spread(line: NDArray[np.float32]) -> tuple[float, float]:
    share = np.cumsum(line, dtype=np.float64) / line.sum(dtype=np.float64)
    first, last = np.searchsorted(share, [TAIL, 1 - TAIL])
    return float(first), float(last + 1)
