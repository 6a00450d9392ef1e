"""How the camera moved between two frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sbtools.detect.base import Image

CELLS = 8, 6
PER_CELL = 6
LEAST_POINTS = 8
OUTER = 0.5
"""Beyond this share of the way from the middle to the border, people are rare."""


@dataclass(frozen=True)
class CameraMotion:
    """Affine motion of the background: `matrix` float [2, 3] takes points of the first frame to the
    second; `support`, 0 to 1, is the share of the picture that moves so."""

    matrix: NDArray[np.float64]
    support: float


def estimate(a: Image, b: Image) -> CameraMotion | None:
    """Camera motion from frame `a` to `b`, uint8 [h, w]; None where too little can be followed.

    Points are spread evenly over the picture and count by their cell, more so near the border, so
    that a large textured person before a plain wall is not taken for the background.
    """
    p, q = follow(a, b)
    if len(p) < LEAST_POINTS:
        return None
    tolerance = 0.5 + 0.002 * max(a.shape)
    away = np.abs(p / (a.shape[1], a.shape[0]) * 2 - 1).max(1)
    weights = importance(p, *a.shape[:2]) * (0.5 + 0.5 * np.clip(away, 0, 1))
    still = np.hstack([np.eye(2), np.zeros((2, 1))])
    found = [m for m in (still, *_models(p, q, away > OUTER, tolerance)) if m is not None]
    scores = [support(m, p, q, weights, tolerance) for m in found]
    scores[0] += 0.05  # nothing speaks for a motion that explains no more than a still camera
    best = int(np.argmax(scores))
    return CameraMotion(found[best], min(1.0, scores[best]))


def follow(a: Image, b: Image) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Points of `a` and where they are in `b`, float32 [N, 2] each, checked there and back."""
    p = corners(a)
    if not len(p):
        return p, p
    track: dict[str, Any] = {"winSize": (15, 15), "maxLevel": 4}
    q, there, _ = cv2.calcOpticalFlowPyrLK(a, b, p[:, None], p[:, None].copy(), **track)
    back, again, _ = cv2.calcOpticalFlowPyrLK(b, a, q, q.copy(), **track)
    good = (there.ravel() == 1) & (again.ravel() == 1)
    good &= np.abs(back[:, 0] - p).max(1) < 0.7
    return p[good], q[good, 0]


def corners(image: Image) -> NDArray[np.float32]:
    """The best corners of uint8 [h, w], at most PER_CELL in each cell of a grid: float32 [N, 2]."""
    found = cv2.goodFeaturesToTrack(image, 1200, 0.001, 4)
    if found is None:
        return np.zeros((0, 2), np.float32)
    points = np.asarray(found, np.float32).reshape(-1, 2)
    cell = cells(points, *image.shape[:2])
    order = np.argsort(cell, kind="stable")
    first = np.r_[True, np.diff(cell[order]) > 0]
    rank = np.arange(len(order)) - np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    return points[np.sort(order[rank < PER_CELL])]


def cells(points: NDArray[np.float32], height: int, width: int) -> NDArray[np.int64]:
    """The grid cell of each point, int [N]."""
    x = np.clip(points[:, 0] * CELLS[0] / width, 0, CELLS[0] - 1).astype(np.int64)
    y = np.clip(points[:, 1] * CELLS[1] / height, 0, CELLS[1] - 1).astype(np.int64)
    return y * CELLS[0] + x


def importance(points: NDArray[np.float32], height: int, width: int) -> NDArray[np.float64]:
    """Weight of each point: a cell counts once, however many points it has."""
    cell = cells(points, height, width)
    return np.asarray(1.0 / np.bincount(cell, minlength=CELLS[0] * CELLS[1])[cell], np.float64)


def support(
    matrix: NDArray[np.float64],
    p: NDArray[np.float32],
    q: NDArray[np.float32],
    weights: NDArray[np.float64],
    tolerance: float,
) -> float:
    """Weighted share of the points that `matrix` takes to where they went."""
    error = np.abs(p @ matrix[:, :2].T + matrix[:, 2] - q).max(1)
    return float((weights * np.maximum(0, 1 - (error / tolerance) ** 2)).sum() / weights.sum())


def _models(
    p: NDArray[np.float32], q: NDArray[np.float32], edge: NDArray[np.bool_], tolerance: float
) -> list[NDArray[np.float64] | None]:
    settings: dict[str, Any] = {"ransacReprojThreshold": tolerance, "maxIters": 500}
    found: list[Any] = [cv2.estimateAffine2D(p, q, **settings)[0]]
    if edge.sum() >= LEAST_POINTS:
        found.append(cv2.estimateAffinePartial2D(p[edge], q[edge], **settings)[0])
    return found
