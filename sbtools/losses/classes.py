"""Losses of the scores of classes."""

from __future__ import annotations

from math import inf

from torch import Tensor

from sbtools import distributed


def soft_cross_entropy(logits: Tensor, target: Tensor, cap: float = inf) -> Tensor:
    """The mean over clips of min(-sum_k target_k log softmax(logits)_k, cap), in nats.

    logits: float [B, K]. target: float [B, K], the share of each class in a clip. A clip beyond
    the cap has no gradient. Raises ValueError for other shapes.
    """
    if logits.ndim != 2 or target.shape != logits.shape:
        raise ValueError(f"logits are {list(logits.shape)} and targets {list(target.shape)}, not "
                         "both [B, K]")  # fmt: skip
    each = -(target * logits.log_softmax(dim=1)).sum(dim=1)
    return distributed.mean(each if cap == inf else each.clamp(max=cap))


def negative_entropy(logits: Tensor) -> Tensor:
    """The mean over clips of sum_k p_k log p_k, with p = softmax(logits): -log K to 0.

    logits: float [B, K]. Finite for any finite logits, where entropy_loss.py of ALBAR takes the
    logarithm of a probability that may be 0. Raises ValueError for another shape.
    """
    if logits.ndim != 2:
        raise ValueError(f"logits are {list(logits.shape)}, not [B, K]")
    log = logits.log_softmax(dim=1)
    return distributed.mean((log.exp() * log).sum(dim=1))
