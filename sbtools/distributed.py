"""Losses over the clips of all ranks; with one process each of these does nothing.

DistributedDataParallel averages the gradients of the ranks, whose batches may differ in size.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor

_ALONE = [False]


@contextmanager
def alone() -> Iterator[None]:
    """One rank counts within, though there are others: they do something else meanwhile."""
    before = _ALONE[0]
    _ALONE[0] = True
    try:
        yield
    finally:
        _ALONE[0] = before


def size() -> int:
    """How many ranks there are."""
    if _ALONE[0]:
        return 1
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which one this is."""
    return dist.get_rank() if size() > 1 else 0


def mean(values: Tensor) -> Tensor:
    """Of one value a clip, [B]: a scalar whose average over ranks is the mean over all clips."""
    if size() == 1:
        return values.mean()
    return values.sum() * size() / sum(_lengths(values))


def gather(values: Tensor) -> Tensor:
    """[B, ...] of every rank, one after another: [sum of B, ...], with gradient to all ranks.

    A loss that every rank computes alike of gathered values, averaged as the ranks are, has the
    gradient that one process would give it.
    """
    if size() == 1:
        return values
    lengths = _lengths(values)
    longest = max(lengths)
    pad = values.new_zeros((longest - len(values), *values.shape[1:]))
    parts = _all_gather(torch.cat([values, pad]))
    return torch.cat([part[:length] for part, length in zip(parts, lengths, strict=True)])


def _lengths(values: Tensor) -> list[int]:
    own = torch.tensor([len(values)], device=values.device)
    found = [torch.zeros_like(own) for _ in range(size())]
    dist.all_gather(found, own)
    return [int(length) for length in found]


def _all_gather(values: Tensor) -> list[Tensor]:
    if values.is_floating_point() and values.requires_grad:
        parts: tuple[Tensor, ...] = _Gather.apply(values)
        return list(parts)
    parts_ = [torch.empty_like(values) for _ in range(size())]
    dist.all_gather(parts_, values.contiguous())
    return parts_


class _Gather(torch.autograd.Function):
    """all_gather whose gradient is the sum over the ranks of what each passes back."""

    @staticmethod
    def forward(ctx: object, values: Tensor) -> tuple[Tensor, ...]:
        parts = [torch.empty_like(values) for _ in range(size())]
        dist.all_gather(parts, values.contiguous())
        return tuple(parts)

    @staticmethod
    def backward(ctx: object, *passed: Tensor) -> Tensor:
        total = torch.stack(passed)
        dist.all_reduce(total)
        return total[rank()]
