"""A minimal cut between shape and background, by OpenCV's GrabCut."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sbtools.detect.base import Image

LEVELS = 40
RANGE = 8.0


def cut(odds: NDArray[np.float32], lab: Image, smoothness: float) -> NDArray[np.bool_]:
    """The labelling of least energy: bool [h, w], True on the shape.

    `odds`, float32 [h, w], is the log of how much likelier each pixel is to belong to the shape;
    borders are cheap along edges of `lab`, uint8 [h, w, 3], and cost `smoothness` nats at most
    where it is flat.
    Boykov and Jolly (2001), with the contrast term of Rother, Kolmogorov and Blake (2004). OpenCV
    cuts only by colour models, so the odds go in as the first of three channels, with one Gaussian
    a side whose log ratio is linear in it; the other two are the main axes of colour.
    """
    if odds.size == 1:
        return np.asarray(odds > 0)
    level = np.round((np.clip(odds / RANGE, -1, 1) + 1) / 2 * LEVELS)
    image = np.dstack([level, main_axes(lab)]).astype(np.uint8)
    mask = np.where(odds > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    if not 0.6 <= smoothness <= GAMMA:
        raise ValueError(f"smoothness is {smoothness}, not 0.6 to {GAMMA}")
    spread = LEVELS**2 / (2 * RANGE * GAMMA / smoothness)
    back, shape = (_gaussian(mean, spread) for mean in (0.0, float(LEVELS)))
    cv2.grabCut(image, mask, (0, 0, 1, 1), back, shape, 1, cv2.GC_EVAL_FREEZE_MODEL)
    return np.asarray(mask == cv2.GC_PR_FGD)


GAMMA = 50.0
"""The weight that OpenCV gives a border between pixels of one colour."""


def main_axes(lab: Image) -> Image:
    """The two directions in which the colours of uint8 [h, w, 3] vary most: uint8 [h, w, 2]."""
    pixels = lab.reshape(-1, 3).astype(np.float64)
    pixels -= pixels.mean(0)
    _, axes = np.linalg.eigh(pixels.T @ pixels)
    along = pixels @ axes[:, :0:-1]
    return np.asarray(np.clip(along + 128, 0, 255), np.uint8).reshape(*lab.shape[:2], 2)


def _gaussian(mean: float, variance: float) -> NDArray[np.float64]:
    """GrabCut's model of one side: 5 weights, 5 means of 3 channels, 5 covariances."""
    model = np.zeros((1, 65))
    model[0, 0] = 1.0
    model[0, 5:8] = mean, 128.0, 128.0
    model[0, [20, 24, 28]] = variance, 1e4, 1e4
    return model
