"""People of a clip before another background."""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import NDArray

from sbtools.errors import ClipError

Frame = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Grey = NDArray[np.uint8]


def over(front: Frame, mask: Mask, back: Frame) -> Frame:
    """front where the mask is, back elsewhere: uint8 [..., H, W, 3] of a mask bool [..., H, W].

    The edge is hard, as in SCUBA: front * mask + back * (1 - mask). Raises ClipError "mismatch"
    where the sizes differ.
    """
    if front.shape[:-1] != mask.shape or front.shape != back.shape:
        sizes = [_size(each) for each in (front, mask[..., None], back)]
        raise ClipError("mismatch", "a frame is {}, its mask {}, its background {}".format(*sizes))
    return np.where(mask[..., None], front, back)


def stretched(image: Frame, height: int, width: int) -> Frame:
    """An image [h, w, 3] as [H, W, 3], whatever its sides, as SCUBA has it: bicubic, by Pillow."""
    from PIL import Image

    if image.shape[:2] == (height, width):
        return image
    return np.asarray(Image.fromarray(image).resize((width, height)))


def fitted(image: Frame, short: int) -> Frame:
    """An image [h, w, 3] or [h, w] whose shorter side becomes `short`, as HAT has it: bilinear."""
    import cv2

    height, width = image.shape[:2]
    factor = short / min(height, width)
    size = (int(width * factor + 0.5), int(height * factor + 0.5))
    if size == (width, height):
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def place_behind(place: int, count: int, behind: int) -> int:
    """Which of `behind` frames of a background belongs to frame `place` of `count`, from 0.

    That at the same share of the whole, half to even, as HAT has it.
    """
    return min(max(int(np.round(place / count * behind)), 0), behind - 1)


def middle(mask: Mask | Grey) -> tuple[float, float]:
    """The row and column of a mask's centre of mass; the middle of the frame for an empty one.

    Of a grey mask, as one is at its edge once it is resized, each pixel weighs what it is.
    """
    total = mask.sum(dtype=np.int64)
    if not total:
        return mask.shape[0] / 2, mask.shape[1] / 2
    each = (mask.sum(axis, dtype=np.int64) for axis in (1, 0))
    rows, columns = (float(one @ np.arange(len(one)) / total) for one in each)
    return rows, columns


def offset(front: Mask | Grey, back: Mask | Grey) -> tuple[int, int]:
    """How far down and right a person is moved to stand where that of the background stood.

    From the centres of mass in the first frames, cut towards 0, as HAT has it.
    """
    one, other = middle(front), middle(back)
    return int(other[0] - one[0]), int(other[1] - one[1])


def pasted(front: Frame, mask: Mask, back: Frame, move: tuple[int, int]) -> Frame:
    """A person [h, w, 3] on a background [H, W, 3], moved down and right; what leaves is cut off.

    The sizes may differ: the frame that comes back is as large as the background.
    """
    found = back.copy()
    own, there = [], []
    for axis in (0, 1):
        first = max(move[axis], 0)
        last = min(move[axis] + mask.shape[axis], back.shape[axis])
        there.append(slice(first, max(first, last)))
        own.append(slice(first - move[axis], max(first, last) - move[axis]))
    rows, columns = own
    area = found[there[0], there[1]]
    np.copyto(area, front[rows, columns], where=mask[rows, columns, None])
    return found


RULES = {
    "hat": (0.05, 0.5, 0.0, 0),
    "scuba-k400": (0.1, inf, 0.9, 1),
    "none": (0.0, inf, 0.0, 0),
}
"""Least and largest share of a clip, or of a frame, that people fill; the share of frames of
which the least is asked, 0 where it is asked of the clip as a whole; frames on either side whose
masks are joined before. hat: the clips that HAT keeps. scuba-k400: those of SCUBA on Kinetics."""


def is_valid(shares: NDArray[np.float64], least: float, most: float, frames: float) -> bool:
    """Whether people fill enough of a clip, and not too much: shares [T] of its frames, 0 to 1.

    Of the clip as a whole, the mean; with `frames` above 0, of at least that share of the frames,
    each for itself.
    """
    if not len(shares):
        return False
    if frames:
        good = (shares >= least) & (shares <= most)
        return bool(good.sum() >= frames * len(shares))
    return bool(least <= shares.mean() <= most)


def _size(frame: NDArray[np.generic]) -> str:
    return "x".join(map(str, frame.shape[:-1]))
