"""Masks as shapes: the parts that count, the boxes they fill, and their size."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sbtools.detect.boxes import Xyxy, core, grow, mean, raster
from sbtools.segment.base import Mask

LEAST_PART, LEAST_INSIDE, LEAST_HOLE = 0.15, 0.3, 0.08
REACH = 0.5


def tidy(mask: Mask, boxes: Sequence[Xyxy]) -> Mask:
    """The mask, bool [h, w], without specks and pinholes.

    Parts stay that lie in a box with LEAST_INSIDE of their area and have there LEAST_PART of the
    pixels of its largest part; holes below LEAST_HOLE of the mask are filled.
    """
    clean = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(clean, connectivity=4)
    keep = np.zeros(count, bool)
    for box in boxes:
        inside = np.bincount(labels[raster(box, *mask.shape)].ravel(), minlength=count)
        inside[0] = 0
        enough = inside >= max(1.0, LEAST_PART * inside.max())
        keep |= enough & (inside >= LEAST_INSIDE * stats[:, cv2.CC_STAT_AREA])
    return filled(keep[labels])


def filled(mask: Mask) -> Mask:
    """The mask with the holes filled that are smaller than LEAST_HOLE of it."""
    around = (~mask).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(around, connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < LEAST_HOLE * mask.sum()
    small[0] = False
    return np.asarray(mask | small[labels])


def refit(boxes: Sequence[Xyxy], mask: Mask) -> list[Xyxy]:
    """The boxes moved half the way to the shapes that were found in and around them.

    A box takes from the mask what is nearest to its middle, REACH of its size beyond it at most;
    one with next to nothing in it stays.
    """
    owner = _nearest(boxes, mask)
    fitted = []
    for i, box in enumerate(boxes):
        part = np.zeros(mask.shape, np.float32)
        where = raster(grow(box, REACH), *mask.shape)
        part[where] = (mask & (owner == i))[where]
        enough = part.sum() > 0.1 * (box[2] - box[0]) * (box[3] - box[1])
        fitted.append(mean([box, core(part)], [0.5, 0.5]) if enough else box)
    return fitted


def _nearest(boxes: Sequence[Xyxy], mask: Mask) -> NDArray[np.int64]:
    """Which box's middle is nearest to each pixel, in sizes of that box: int [h, w]."""
    y, x = (np.arange(n, dtype=np.float32) + 0.5 for n in mask.shape)
    far = [
        np.maximum(
            np.abs(x - (x0 + x1) / 2)[None] / max(x1 - x0, 1),
            np.abs(y - (y0 + y1) / 2)[:, None] / max(y1 - y0, 1),
        )
        for x0, y0, x1, y1 in boxes
    ]
    return np.argmin(far, axis=0)


def enlarge(mask: Mask | None, height: int, width: int) -> Mask:
    """A mask of working resolution at full size, with smooth outlines; empty for None."""
    if mask is None:
        return np.zeros((height, width), bool)
    if mask.shape == (height, width):
        return mask
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_CUBIC) > 0.5)
