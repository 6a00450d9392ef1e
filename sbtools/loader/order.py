"""Which clips make up which step, on which rank."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sbtools import rng
from sbtools.errors import UsageError


def order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order of an epoch: a permutation of 0 .. count - 1 keyed by (seed, epoch)."""
    return rng.generator(seed, "", "order", epoch).permutation(count)


def batches(
    count: int,
    seed: int,
    epoch: int,
    batch: int,
    world: int = 1,
    rank: int = 0,
    shuffle: bool = True,
) -> list[list[int]]:
    """The places of every step of an epoch, as far as they are this rank's.

    A global batch is `batch` clips of the epoch's order, cut into contiguous shares whose sizes
    differ by one at most. What is left at the end is a smaller batch; where it has fewer clips
    than there are ranks it joins the batch before. So every rank has the same number of steps and
    no share is empty. Without `shuffle`, for tests, the order is 0 .. count - 1, nothing is joined,
    and shares may be empty.

    Raises UsageError where a batch, or all clips, are fewer than the ranks, unless for tests.
    """
    if not 0 <= rank < world:
        raise ValueError(f"rank {rank} of {world}")
    if shuffle and count and min(batch, count) < world:
        what = f"a batch of {batch}" if batch < world else f"{count} clips"
        raise UsageError(f"{what} cannot be shared by {world} ranks: use fewer ranks")
    places = order(count, seed, epoch) if shuffle else np.arange(count)
    edges = [*range(0, count, batch), count]
    if shuffle and len(edges) > 2 and edges[-1] - edges[-2] < world:
        del edges[-2]
    steps = [places[a:b] for a, b in pairwise(edges)]
    return [_share(step, world, rank) for step in steps]


def _share(step: NDArray[np.int64], world: int, rank: int) -> list[int]:
    first, last = (len(step) * r // world for r in (rank, rank + 1))
    return step[first:last].tolist()
