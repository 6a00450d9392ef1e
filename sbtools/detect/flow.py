"""Where something moves against the background."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sbtools.detect import camera
from sbtools.detect.base import Image
from sbtools.detect.view import View

GAPS = (0.03, 0.1, 0.4)
"""Seconds between the frames that are compared: long ones for slow sway, the shortest, used where
the others fail, for a camera in fast motion."""
LEAST_SUPPORT = 0.15
GOOD_SUPPORT = 0.4
SHORT = (-1, 1)
SAME_FRAME = 0.25
"""Mean difference in grey levels below which a frame is a repetition and tells nothing."""
LEAST_PIXELS, LEAST_CHANGE, NOISE = 0.35, 3.0, 4.0
BLACK = 24


def context(wanted: Sequence[int], count: int, fps: float) -> list[int]:
    """Frames besides `wanted` that lie GAPS before and after each of them, as far as they exist."""
    chosen = set(wanted)
    for number in wanted:
        for step in steps(fps):
            for at in (number - step, number + step):
                if 0 <= at < count and not any(k in chosen for k in near(at, step)):
                    chosen.add(at)
    return sorted(chosen - set(wanted))


def steps(fps: float) -> list[int]:
    """GAPS in frames, at least 1, each once."""
    return sorted({max(1, round(gap * fps)) for gap in GAPS})


def near(at: int, step: int) -> range:
    """Frame numbers that serve as well as `at`, a quarter of the gap either way."""
    return range(at - step // 4, at + step // 4 + 1)


def pairs(number: int, numbers: Sequence[int], fps: float) -> list[list[int]]:
    """For each gap the frames to compare frame `number` with: one before, one after, or either."""
    there = set(numbers) - {number}
    found = []
    for step in steps(fps):
        sides = (_closest(at, near(at, step), there) for at in (number - step, number + step))
        found.append([side for side in sides if side is not None])
    return [others for others in found if others]


def _closest(at: int, numbers: Sequence[int], there: set[int]) -> int | None:
    return min((k for k in numbers if k in there), key=lambda k: (abs(k - at), k), default=None)


def evidence(view: View, number: int) -> NDArray[np.float32]:
    """How sure it is that each pixel moves against the background: float32 [h, w], 0 to 1.

    Residual optical flow after the camera's motion is taken away, over the noise of the frame,
    where the picture changes as well (flow runs over into flat surroundings). What moves differs
    from the frame before and from the frame after, so the two are multiplied: that leaves out the
    background which only one of them uncovers. At the working resolution of `view`.
    """
    width, height = view.grey_size
    total, weight, best = np.zeros((height, width), np.float32), 1e-6, 0.0
    for others in reversed(pairs(number, view.clip.numbers, view.clip.fps)):
        if others[0] - number in SHORT and best >= GOOD_SUPPORT:
            continue
        found = [e for e in (_against(view, number, k) for k in others) if e is not None]
        if found:
            mean = np.exp(np.mean([np.log(e + 1e-3) for e, _ in found], axis=0))
            trust = float(np.mean([s for _, s in found]))
            total, weight, best = total + trust**2 * mean, weight + trust**2, max(best, trust)
    big = cv2.resize(total / weight, (view.width, view.height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(big, 0, 1), np.float32)


def _against(view: View, number: int, other: int) -> tuple[NDArray[np.float32], float] | None:
    a, b = view.grey(number), view.grey(other)
    if min(a.shape) < 16 or float(cv2.absdiff(a, b).mean()) < SAME_FRAME:
        return None
    moved = camera.estimate(a, b)
    if moved is None or moved.support < LEAST_SUPPORT:
        return None
    back, seen = carried_back(b, moved.matrix)
    seen &= lit(a) & lit(b)
    if not seen.any():
        return None
    speed, change = residual(a, back)
    sure = above(speed, seen, LEAST_PIXELS) * above(change, seen, LEAST_CHANGE)
    sure[~seen] = 0
    return np.sqrt(sure), moved.support


def above(
    values: NDArray[np.float32], seen: NDArray[np.bool_], least: float
) -> NDArray[np.float32]:
    """How far `values` stand out of their noise, 0 to 1: a half at NOISE times the value that 30 %
    of the picture stays below, or at `least`."""
    noise = NOISE * float(np.percentile(values[seen], 30))
    return np.asarray(values**2 / (values**2 + max(least, noise) ** 2), np.float32)


def carried_back(b: Image, matrix: NDArray[np.float64]) -> tuple[Image, NDArray[np.bool_]]:
    """Frame `b` as the first frame's camera would have seen it, and which pixels it shows."""
    size = b.shape[1], b.shape[0]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    back = cv2.warpAffine(b, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    seen = cv2.warpAffine(np.full_like(b, 255), matrix, size, flags=flags) == 255
    return np.asarray(back, np.uint8), seen


def lit(grey: Image) -> NDArray[np.bool_]:
    """False in the black bars that some videos have on their sides: bool [h, w]."""
    rows, columns = grey.max(1) > BLACK, grey.max(0) > BLACK
    rows, columns = (np.convolve(~line, np.ones(5), "same") == 0 for line in (rows, columns))
    return np.asarray(rows[:, None] & columns[None])


def residual(a: Image, b: Image) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How far the picture moves from `a` to `b`, in pixels, and how much it changes, in grey levels
    over 7x7 pixels: float32 [h, w] both."""
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow = np.asarray(dis.calc(a, b, np.zeros((*a.shape, 2), np.float32)))
    change = cv2.blur(cv2.absdiff(a, b).astype(np.float32), (7, 7))
    return np.hypot(flow[..., 0], flow[..., 1]), np.asarray(change, np.float32)
