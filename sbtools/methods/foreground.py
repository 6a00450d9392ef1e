"""Which pixels of clips are their foreground, by what moves and by its colours.

Source: Mark12Ding/FAME 0600c0e, moco/loader.py, getmask and getSeg.
"""

from __future__ import annotations

from functools import lru_cache
from math import pi

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur  # type: ignore[import-untyped]

MOVING, STILL = 0.5, 0.1
"""Shares of the pixels, those that move most and least, whose colours are taken for examples."""

BINS = 10
"""Of each of three coordinates of colour."""


TINY = 1e-30
"""In place of a span of colours that is 0, whose hue is 0."""


def foreground(video: Tensor, mean: Tensor, std: Tensor, beta: float, turns: float = 1.0) -> Tensor:
    """One mask for all frames of each clip, normalised float [B, T, 3, H, W]: bool [B, H, W].

    Of the share `beta` of the pixels whose colours in the mean frame are more those of what moves
    than those of what does not. mean, std: [3], of the colours. turns: how often hue goes around
    the circle of colours; with the official code's mistake 2 pi times.
    """
    shape = (len(video), *video.shape[3:])
    changes = torch.stack([(clip[1:] - clip[:-1]).abs_().mean(0) for clip in video])
    moved = _blurred(torch.einsum("bchw,c->bhw", changes, std)).flatten(1)
    images = (video.mean(1) * std[:, None, None] + mean[:, None, None]).clamp_(0, 1)
    colours = _colours(images, turns).flatten(1)
    front = _counts(colours, largest(moved, int(MOVING * moved.shape[1])), video.dtype)
    back = _counts(colours, largest(-moved, int(STILL * moved.shape[1])), video.dtype) + 1
    front, back = front / front.sum(1, True).clamp(min=1), back / back.sum(1, True)
    likely = (front / (front + back)).gather(1, colours).view(shape)
    return largest(_blurred(likely).flatten(1), int(beta * moved.shape[1])).view(shape)


def largest(values: Tensor, count: int) -> Tensor:
    """True for the `count` largest of each row [B, N], of equal ones for the first: bool [B, N]."""
    if not count:
        return torch.zeros_like(values, dtype=torch.bool)
    least = _nth(values, values.shape[1] - count)
    above, equal = values > least, values == least
    return above | (equal & (equal.cumsum(1) <= count - above.sum(1, True)))


def _nth(values: Tensor, place: int) -> Tensor:
    """Of each row [B, N] the value that is at a place of N when they ascend: [B, 1]."""
    if values.device.type != "cpu":
        return values.kthvalue(place + 1, dim=1, keepdim=True).values
    ordered = np.partition(values.numpy(), place, axis=1)  # seven times as fast
    return torch.from_numpy(ordered[:, place : place + 1])


def _counts(colours: Tensor, seeds: Tensor, dtype: torch.dtype) -> Tensor:
    """How often each colour is that of a seed: [B, 1000]."""
    found = torch.zeros(len(colours), BINS**3, dtype=dtype, device=colours.device)
    return found.scatter_add_(1, colours, seeds.to(dtype))


def _blurred(planes: Tensor) -> Tensor:
    """By a Gaussian as wide as a tenth of the shorter side, [B, H, W]."""
    size = int(0.1 * min(planes.shape[1:])) // 2 * 2 + 1
    down, across = (_smoother(side, size).to(planes) for side in planes.shape[1:])
    return down @ planes @ across.T


@lru_cache(maxsize=8)
def _smoother(side: int, size: int) -> Tensor:
    """The matrix by which a Gaussian of that many pixels smooths a column: float64 [N, N]."""
    whole = torch.eye(side, dtype=torch.float64)[None]
    smooth: Tensor = gaussian_blur(whole, [1, size], [size / 3, size / 3])[0]
    return smooth


def _colours(images: Tensor, turns: float) -> Tensor:
    """Of images [B, 3, H, W] which of 1000 colours each pixel has: int64 [B, H, W].

    The coordinates are s cos 2 pi h, s sin 2 pi h and v, of its hue, saturation and value.
    """
    red, green, blue = images.unbind(1)
    value = torch.maximum(torch.maximum(red, green), blue)
    span = value - torch.minimum(torch.minimum(red, green), blue)
    ahead = torch.where(value == green, blue - red + 2 * span, red - green + 4 * span)
    ahead = torch.where(value == red, green - blue, ahead)
    hue = ahead / span.clamp(min=TINY) / 6
    hue = hue if turns == 1 else hue % 1
    saturation, angle = span / (value + 1e-8), (2 * pi * turns) * hue
    axes = (saturation * angle.cos() + 1) / 2, (saturation * angle.sin() + 1) / 2, value
    x, y, v = (axis.mul_(BINS - 1).add_(1).round_() for axis in axes)
    return (x + BINS * (y - 1) + BINS**2 * (v - 1) - 1).long()
