"""Masks grown and shrunk by some pixels, as a segmenter that draws wider or closer would."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

SHARE = 0.02
"""By how much masks are dilated and eroded, of the picture's shorter side."""


def pixels_of(side: int) -> int:
    """SHARE of a picture's shorter side in whole pixels, rounded half up; at least 1."""
    return max(1, int(SHARE * side + 0.5))


def dilated(mask: Tensor, pixels: int) -> Tensor:
    """The mask, bool [..., H, W], grown by so many pixels to every side, diagonals too.

    Dilation by a square of 2 * pixels + 1: of a box it is the box with its sides moved outwards.
    What lies beyond the picture adds nothing.
    """
    flat = mask.reshape(-1, 1, *mask.shape[-2:]).to(torch.float32)
    side = 2 * pixels + 1
    rows = max_pool2d(flat, (side, 1), 1, (pixels, 0))
    return max_pool2d(rows, (1, side), 1, (0, pixels)).bool().view(mask.shape)


def eroded(mask: Tensor, pixels: int) -> Tensor:
    """The mask, bool [..., H, W], shrunk by so many pixels from every side; perhaps empty.

    Erosion by the square of `dilated`. What lies beyond the picture takes nothing away: a person
    whom the edge of the picture cuts keeps that side.
    """
    return ~dilated(~mask, pixels)
