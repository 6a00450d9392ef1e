"""Losses as plain functions: each a scalar over the clips of all ranks (`sbtools.distributed`)."""

from __future__ import annotations

from sbtools.losses.classes import negative_entropy, soft_cross_entropy
from sbtools.losses.gradient import gradient_penalty

__all__ = ["gradient_penalty", "negative_entropy", "soft_cross_entropy"]
