"""Resizing, cropping and flipping a clip and its masks alike."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sbtools.detect.base import Image
from sbtools.errors import UsageError
from sbtools.models.recipe import Recipe

Size = tuple[int, int]

SCALES = (1, 0.875, 0.75, 0.66)
AREAS, RATIOS, ATTEMPTS = (0.08, 1.0), (3 / 4, 4 / 3), 10
AS_TORCHVISION = ("bicubic", "antialias")
_QUARTERS = ((0, 0), (4, 0), (0, 4), (4, 4), (2, 2))
_MORE = ((0, 2), (4, 2), (2, 4), (2, 0), (1, 1), (3, 1), (1, 3), (3, 3))
_SIDES = re.compile(r"(?<![a-z])(left|right)(?![a-z])", re.IGNORECASE)
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True)
class Crop:
    """A rectangle of a frame of the short side's size, in pixels, shown mirrored or not."""

    x: int
    y: int
    width: int
    height: int
    flip: bool = False


def short_size(size: Size, short: int, how: str = "bilinear") -> Size:
    """Height and width of a frame whose shorter side becomes `short`; at least 1 each.

    bilinear: rounded half up, as mmcv.rescale_size does. bicubic and antialias: the longer side is
    cut to a whole number, as torchvision.transforms.Resize does. squash: both sides become `short`.
    """
    height, width = size
    if how == "squash":
        return short, short
    if how in AS_TORCHVISION:
        longer = int(short * max(size) / min(size))
        return (short, longer) if height <= width else (longer, short)
    factor = short / min(size)
    return max(1, int(height * factor + 0.5)), max(1, int(width * factor + 0.5))


def scale(frame: Image, size: Size, how: str = "bilinear") -> Image:
    """The frame [H, W, 3] at another height and width.

    bilinear and squash: without smoothing, as OpenCV has it and the official ViFi-CLIP and StillMix
    use it. bicubic and antialias: with smoothing, as Pillow has its bicubic and its bilinear; the
    official ActionCLIP uses the one in tests, and ALBAR torchvision's tensors like the other.
    """
    if frame.shape[:2] == size:
        return frame
    if how not in AS_TORCHVISION:
        return _resized(frame, size, cv2.INTER_LINEAR)
    from PIL import Image as Pillow

    picture = Pillow.fromarray(np.ascontiguousarray(frame))
    smooth = Pillow.Resampling.BICUBIC if how == "bicubic" else Pillow.Resampling.BILINEAR
    return np.asarray(picture.resize(size[::-1], smooth))


def scale_mask(mask: NDArray[Any], size: Size) -> NDArray[np.uint8]:
    """A mask [H, W], bool or 0 and 1, at another height and width: the nearest pixel's centre.

    OpenCV's plain INTER_NEAREST takes the pixel to the upper left instead.
    """
    plain = mask.view(np.uint8) if mask.dtype == np.bool_ else mask
    return plain if plain.shape == size else _resized(plain, size, cv2.INTER_NEAREST_EXACT)


def random_crop(size: Size, recipe: Recipe, flips: bool, draw: np.random.Generator) -> Crop:
    """A crop of training frames of that height and width, by `CROPS[recipe.crop]`."""
    flip = bool(draw.random() < 0.5) and flips and recipe.flip != "never"
    return replace(CROPS[recipe.crop](size, recipe.size, draw), flip=flip)


def multiscale5(size: Size, side: int, draw: np.random.Generator) -> Crop:
    """Of sides of 1, .875, .75 or .66 of the shorter one, height and width at most one step apart,
    snapped to the input size from less than 3 pixels, at one of 5 fixed places.

    Source: ViFi-CLIP datasets/pipeline.py MultiScaleCrop and ActionCLIP GroupMultiScaleCrop, which
    crop frames of any size; here their shorter side is always `recipe.short_side`.
    """
    return _multiscale(size, side, draw, _QUARTERS)


def multiscale13(size: Size, side: int, draw: np.random.Generator) -> Crop:
    """`multiscale5` at one of 13 fixed places."""
    return _multiscale(size, side, draw, _QUARTERS + _MORE)


def resized(size: Size, side: int, draw: np.random.Generator) -> Crop:
    """Of .08 to 1 of the area, with a ratio of width to height of 3/4 to 4/3, anywhere.

    Source: torchvision.transforms.RandomResizedCrop.get_params; mmaction2's draws alike.
    """
    height, width = size
    low, high = (math.log(ratio) for ratio in RATIOS)
    for _ in range(ATTEMPTS):
        area = height * width * draw.uniform(*AREAS)
        ratio = math.exp(draw.uniform(low, high))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            y = int(draw.integers(height - h + 1))
            return Crop(int(draw.integers(width - w + 1)), y, w, h)
    ratio = min(max(width / height, RATIOS[0]), RATIOS[1])
    w, h = min(width, round(height * ratio)), min(height, round(width / ratio))
    return Crop((width - w) // 2, (height - h) // 2, w, h)


def random(size: Size, side: int, draw: np.random.Generator) -> Crop:
    """The input's size, anywhere: torchvision.transforms.RandomCrop."""
    y = int(draw.integers(size[0] - side + 1))
    return Crop(int(draw.integers(size[1] - side + 1)), y, side, side)


def centre(size: Size, side: int, draw: np.random.Generator) -> Crop:
    """The input's size, in the middle."""
    return centre_crop(size, side)


CROPS: dict[str, Callable[[Size, int, np.random.Generator], Crop]] = {
    "multiscale5": multiscale5,
    "multiscale13": multiscale13,
    "resized": resized,
    "random": random,
    "centre": centre,
}
"""Name of a training crop -> of a frame's size and the input's, a crop that is not mirrored."""


def _multiscale(
    size: Size, side: int, draw: np.random.Generator, places: Sequence[tuple[int, int]]
) -> Crop:
    sides = _sides(min(size))
    pairs = [(w, h) for i, h in enumerate(sides) for j, w in enumerate(sides) if abs(i - j) <= 1]
    width, height = (_snapped(each, side) for each in pairs[draw.integers(len(pairs))])
    across, down = places[int(draw.integers(len(places)))]
    x, y = ((size[1] - width) // 4 * across, (size[0] - height) // 4 * down)
    return Crop(x, y, width, height)


def centre_crop(size: Size, side: int, flip: bool = False, how: str = "bilinear") -> Crop:
    """The square in the middle of a frame of that height and width.

    Where what is left is odd: bilinear, the pixel before the middle, as mmaction's CenterCrop has
    it; bicubic and antialias, the even one of the two beside it, as
    torchvision.transforms.CenterCrop.
    """
    if how in AS_TORCHVISION:
        y, x = (round((length - side) / 2) for length in size)
    else:
        y, x = ((length - side) // 2 for length in size)
    return Crop(x, y, side, side, flip)


def third_crop(size: Size, side: int, number: int) -> Crop:
    """One of three squares along the longer side: first, last, middle.

    `side` is the shorter side of the frame. Source: ViFi-CLIP's ThreeCrop.
    """
    steps = (0, 2, 1)[number]
    x, y = ((size[1] - side) // 2 * steps, (size[0] - side) // 2 * steps)
    return Crop(x, y, side, side)


def cut(frame: Image, crop: Crop, side: int, out: NDArray[np.uint8]) -> None:
    """The crop of a frame [H, W, 3], resized to a square, into `out`, uint8 [side, side, 3]."""
    part = frame[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]
    if crop.flip:
        cv2.flip(scale(part, (side, side)), 1, dst=out)
    else:
        cv2.resize(part, (side, side), dst=out, interpolation=cv2.INTER_LINEAR)


def cut_mask(mask: NDArray[np.uint8], crop: Crop, side: int) -> NDArray[np.bool_]:
    """The crop of a mask [H, W], resized to a square: bool [side, side]."""
    part = mask[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]
    part = scale_mask(part, (side, side))
    found = cv2.flip(part, 1) if crop.flip else np.ascontiguousarray(part)
    return found.view(np.bool_)


@lru_cache(maxsize=1 << 16)
def tells_sides(text: str) -> bool:
    """Whether a class name holds the word left or right: its clips must not be mirrored."""
    return bool(_SIDES.search(_HUMP.sub(" ", text)))


def may_flip(recipe: Recipe, *texts: str) -> bool:
    """Whether the clips of a class called so may be mirrored in training."""
    if recipe.flip == "auto":
        return not any(map(tells_sides, texts))
    return recipe.flip == "always"


def check_crops(crops: int) -> None:
    """UsageError unless there is such a set of test crops."""
    if crops not in (1, 3):
        raise UsageError(f"crops of a test clip are 1 or 3, not {crops}")


def _sides(base: int) -> list[int]:
    return [int(base * scale) for scale in SCALES]


def _snapped(side: int, wanted: int) -> int:
    return wanted if abs(side - wanted) < 3 else side


def _resized(image: NDArray[Any], size: Size, how: int) -> NDArray[np.uint8]:
    return cv2.resize(image, size[::-1], interpolation=how)  # type: ignore[return-value]
