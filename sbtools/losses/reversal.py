"""Gradients that turn round: what a network learns to tell, its input unlearns."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def reverse_gradient(x: Tensor, scale: float | Tensor = 1.0) -> Tensor:
    """x itself, whose gradient is -scale times what comes back.

    Ganin et al., "Domain-adversarial training of neural networks", JMLR 2016.
    """
    return scaled_gradient(x, -scale)


def scaled_gradient(x: Tensor, scale: float | Tensor) -> Tensor:
    """x itself, whose gradient is scale times what comes back."""
    found: Tensor = _Scaled.apply(x, scale)
    return found


def ramp(progress: float) -> float:
    """2 / (1 + exp(-10 p)) - 1, from 0 at the start of training (p = 0) to about 1: the usual scale
    of a reversed gradient, which leaves what is told apart some time to be learnt first."""
    return float(2 / (1 + torch.exp(torch.tensor(-10.0 * progress, dtype=torch.float64))) - 1)


class _Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float | Tensor) -> Tensor:
        ctx.scale = scale
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *passed: Tensor) -> tuple[Tensor, None]:
        return ctx.scale * passed[0], None
