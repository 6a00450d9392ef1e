"""Losses of the gradient of scores to pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from sbtools import distributed

REDUCTIONS = {"sample": (1, 2, 3, 4), "column": (1, 2, 3)}
"""What one norm is taken over, of [B, t, 3, H, W]: a whole clip, or a column of its pixels."""

TINY = 1e-12
"""Added to a sum of squares, so that its root has a gradient at 0; that of ALBAR's code."""


def gradient_penalty(
    logits: Tensor, pixels: Tensor, reduction: str = "sample", repeats: int = 1
) -> Tensor:
    """The mean over clips of ||d sum_k logits_k / d pixels||_2; its graph is kept.

    logits: float [B, K], made of pixels float [B, t, 3, H, W] that require gradient, by what can be
    differentiated twice. repeats: how many frames each of the t stands for, where a clip that
    repeats one of them has their gradient divided by that number (`Outputs.static`); the norm is
    that of the whole clip.

    reduction: sample, one norm for each clip, as the paper has it. column, the mean of the norms of
    the W columns of pixels, as compute_gradient_penalty of ALBAR's entropy_loss.py does, which sums
    over [1, 2, 3] of five dimensions: sqrt(W) times smaller where columns are alike. Raises
    ValueError for another one, and for other shapes.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction is {' or '.join(REDUCTIONS)}, not {reduction!r}")
    if logits.ndim != 2 or pixels.ndim != 5 or len(logits) != len(pixels):
        raise ValueError(f"logits are {list(logits.shape)} and pixels {list(pixels.shape)}, not "
                         "[B, K] and [B, t, 3, H, W]")  # fmt: skip
    (gradient,) = torch.autograd.grad(logits.sum(), pixels, create_graph=True)
    squares = gradient.square().sum(REDUCTIONS[reduction]) / repeats  # [B] or [B, W]
    norms = (squares + TINY).sqrt()
    return distributed.mean(norms if norms.ndim == 1 else norms.mean(1))
