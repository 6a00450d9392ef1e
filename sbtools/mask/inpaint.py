"""Hidden pixels made up from what surrounds them."""

from __future__ import annotations

from math import ceil, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from sbtools.mask.equations import Regions, check_size, target

MOST_PIXELS = 12_000
"""Telea's method takes time for every hidden pixel; a larger region is made up at reduced size."""

MARGIN = 2
RADIUS = 3
GREY = 128


def inpaint(
    frames: NDArray[np.uint8], regions: Regions, out: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """What is not kept made up from what is: uint8 [..., H, W, 3], every frame by itself.

    A new array, or `out`, which may be `frames` themselves. Pixels that are kept stay as they are,
    and the others have no influence on the result: a margin of two pixels around them is not
    copied from either. A frame of which nothing is kept becomes grey. Raises ClipError "mismatch"
    where the sizes differ. Source: Telea, "An image inpainting technique based on the fast
    marching method", 2004, as in OpenCV.
    """
    check_size(regions, frames.shape[:-3], frames.shape[-3:-1])
    out = target(frames, out)
    size = frames.shape[-3:-1]
    if not out.size:
        return out
    hidden = (regions.background | regions.object).reshape(-1, *size)
    for frame, holes in zip(out.reshape(-1, *size, 3), hidden, strict=True):
        if holes.any():
            _fill_holes(frame, holes)
    return out


def _fill_holes(frame: NDArray[np.uint8], hidden: NDArray[np.bool_]) -> None:
    unknown = _grown(hidden)
    small, holes = _reduced(frame, unknown)
    if holes.all():
        frame[hidden] = GREY
        return
    made = cv2.inpaint(small, holes, RADIUS, cv2.INPAINT_TELEA)
    if made.shape != frame.shape:
        size = (frame.shape[1], frame.shape[0])
        made = cv2.resize(made, size, interpolation=cv2.INTER_LINEAR)
    cv2.copyTo(made, np.ascontiguousarray(hidden).view(np.uint8), frame)


def _grown(hidden: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The holes with their margin, or without it where nothing else is left."""
    holes = np.ascontiguousarray(hidden).view(np.uint8)
    side = 2 * MARGIN + 1
    grown = np.asarray(cv2.dilate(holes, np.ones((side, side), np.uint8)), np.uint8)
    return holes if grown.all() else grown


def _reduced(
    frame: NDArray[np.uint8], unknown: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Frame and holes at a size that can be worked on; a pixel that a hole touches is hole.

    Each pixel is the mean of the known pixels it stands for.
    """
    scale = min(1.0, sqrt(MOST_PIXELS / np.count_nonzero(unknown)))
    if scale == 1.0:
        return np.ascontiguousarray(frame), unknown
    height, width = unknown.shape
    size = (max(1, ceil(width * scale)), max(1, ceil(height * scale)))
    known = (unknown == 0).astype(np.float32)
    share = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    total = cv2.resize(frame * known[..., None], size, interpolation=cv2.INTER_AREA)
    small = total / np.maximum(share, 1e-6)[..., None]
    return np.rint(small).clip(0, 255).astype(np.uint8), (share < 0.5).astype(np.uint8)
