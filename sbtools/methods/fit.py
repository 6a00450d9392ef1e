"""What `Method.fit` is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sbtools.errors import SbtoolsError
from sbtools.loader import Clips
from sbtools.models.base import VideoModel
from sbtools.rng import Draws

MOST = 16 << 20
"""Bytes of all that a fit may return."""


@dataclass(frozen=True)
class FitRun:
    """A run before its first step, on the one process that fits.

    model: in test mode; it must not be changed. clips: those of training. draws: of this fit.
    folder: the run's, for files that may be lost. check: raises where the run is to stop; to be
    called now and then.
    """

    model: VideoModel
    clips: Clips
    device: torch.device
    draws: Draws
    folder: str
    check: Callable[[], None]


def require_fitted(found: object, name: str) -> dict[str, Tensor]:
    """SbtoolsError unless a fit returned named tensors of at most 16 MB."""
    if not isinstance(found, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in found.items()
    ):
        raise SbtoolsError(f"method {name}: fit returns tensors by name, in a dict")
    size = sum(value.numel() * value.element_size() for value in found.values())
    if size > MOST:
        raise SbtoolsError(f"method {name}: fit returned {size:,} bytes, at most {MOST:,} are kept")
    return {key: value.detach().cpu().clone() for key, value in found.items()}
