"""Losses as plain functions: scalars; means over clips are of all ranks (`sbtools.distributed`)."""

from __future__ import annotations

from sbtools.losses.classes import negative_entropy, soft_cross_entropy
from sbtools.losses.gradient import gradient_penalty
from sbtools.losses.independence import conditional_hsic, hsic
from sbtools.losses.reversal import reverse_gradient

__all__ = [
    "conditional_hsic", "gradient_penalty", "hsic", "negative_entropy", "reverse_gradient",
    "soft_cross_entropy",
]  # fmt: skip
