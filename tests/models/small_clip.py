"""A CLIP of one small block a tower, in random weights, and clips for it."""

from __future__ import annotations

from typing import Any

import torch

from sbtools.models import clip
from sbtools.models.arch import Arch

SMALL = Arch(
    "small", dim=64, size=32, patch=16, width=64, layers=1, heads=1, text_width=64,
    text_layers=1, text_heads=1,
)  # fmt: skip
SIDE, FRAMES = SMALL.size, 3


def small(seed: int = 0) -> clip.Clip:
    """Its features are of length 1 or so, so that scores are neither equal nor certain."""
    made = clip.random(SMALL, seed)
    with torch.no_grad():
        made.token_embedding.weight.mul_(20)
    return made


def videos(count: int = 2, seed: int = 0, frames: int = FRAMES) -> Any:
    """Noise, float [B, T, 3, H, W]."""
    drawn = torch.Generator().manual_seed(seed)
    return torch.randn(count, frames, 3, SIDE, SIDE, generator=drawn)
