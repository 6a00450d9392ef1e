"""Which pixels of a clip are its foreground, by what moves and by its colours.

Source: Mark12Ding/FAME 0600c0e, moco/loader.py, getmask and getSeg.
"""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur  # type: ignore[import-untyped]

MOVING, STILL = 0.5, 0.1
"""Shares of the pixels, those that move most and least, whose colours are taken for examples."""

BINS = 10
"""Of each of three coordinates of colour."""


def foreground(clip: Tensor, beta: float, turns: float = 1.0) -> Tensor:
    """One mask for all frames of a clip, float [T, 3, H, W] of 0 to 1: bool [H, W].

    Of the share `beta` of the pixels whose colours in the mean frame are more those of what moves
    than those of what does not. turns: how often hue goes around the circle of colours; with the
    official code's mistake 2 pi times.
    """
    height, width = clip.shape[2:]
    count = height * width
    moved = _blurred((clip[1:] - clip[:-1]).abs().mean(0).sum(0)).flatten()
    colours = _colours(clip.mean(0).clamp(0, 1), turns).flatten()
    seeds = (
        moved.topk(int(MOVING * count)).indices,
        moved.topk(int(STILL * count), largest=False).indices,
    )
    front, back = (
        torch.bincount(colours[seed], minlength=BINS**3).to(clip.dtype) for seed in seeds
    )
    front, back = front / front.sum().clamp(min=1), (back + 1) / (back + 1).sum()
    likely = (front / (front + back))[colours].view(height, width)
    found = torch.zeros(count, dtype=torch.bool, device=clip.device)
    found[_blurred(likely).flatten().topk(int(beta * count)).indices] = True
    return found.view(height, width)


def _blurred(plane: Tensor) -> Tensor:
    """By a Gaussian as wide as a tenth of the shorter side, [H, W]."""
    size = int(0.1 * min(plane.shape)) // 2 * 2 + 1
    found: Tensor = gaussian_blur(plane[None], [size, size], [size / 3, size / 3])
    return found[0]


def _colours(image: Tensor, turns: float) -> Tensor:
    """Of an image [3, H, W] which of 1000 colours each pixel has: int64 [H, W].

    The coordinates are s cos 2 pi h, s sin 2 pi h and v, of its hue, saturation and value.
    """
    value, place = image.max(0)
    span = value - image.min(0).values
    red, green, blue = image
    sixths = torch.stack([green - blue, blue - red + 2 * span, red - green + 4 * span])
    hue = (sixths.gather(0, place[None])[0] / span.where(span > 0, 1) / 6) % 1
    saturation = span / (value + 1e-8)
    angle = 2 * pi * turns * hue
    axes = (saturation * angle.cos() + 1) / 2, (saturation * angle.sin() + 1) / 2, value
    x, y, v = ((axis * (BINS - 1)).round().long() for axis in axes)
    return x + BINS * y + BINS**2 * v
