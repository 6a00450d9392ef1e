"""Clips without what is hidden of them."""

from __future__ import annotations

import torch
from torch import Tensor


def without(video: Tensor, hidden: Tensor) -> Tensor:
    """Clips [B, T, 3, H, W] whose hidden pixels, bool [B, T, H, W], have their frame's mean."""
    return torch.where(hidden[:, :, None], video.mean((3, 4), keepdim=True), video)
