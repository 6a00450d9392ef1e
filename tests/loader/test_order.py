"""Steps and ranks: disjoint, complete, even."""

from __future__ import annotations

import numpy as np
import pytest

from sbtools.errors import UsageError
from sbtools.loader import batches, order


@pytest.mark.parametrize("count", [1, 5, 32, 33, 35, 64, 101])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_ranks_share_every_step(count: int, world: int) -> None:
    if count < world:
        pytest.skip("fewer clips than ranks")
    ranks = [batches(count, 3, 1, 8, world, rank) for rank in range(world)]
    assert len({len(steps) for steps in ranks}) == 1
    flat = []
    for shares in zip(*ranks, strict=True):
        sizes = [len(share) for share in shares]
        assert min(sizes) > 0 and max(sizes) - min(sizes) <= 1
        flat += [place for share in shares for place in share]
    assert flat == order(count, 3, 1).tolist()
    assert sorted(flat) == list(range(count))


def test_global_batches_do_not_depend_on_the_ranks() -> None:
    one = batches(36, 0, 5, 8)
    two = [batches(36, 0, 5, 8, 2, rank) for rank in (0, 1)]
    assert one == [a + b for a, b in zip(*two, strict=True)]
    assert [len(step) for step in one] == [8, 8, 8, 8, 4]


def test_a_tail_too_small_for_the_ranks_joins_the_batch_before() -> None:
    sizes = [[len(s) for s in batches(17, 0, 0, 8, 2, rank)] for rank in (0, 1)]
    assert sizes == [[4, 4], [4, 5]]
    assert [len(s) for s in batches(17, 0, 0, 8)] == [8, 8, 1]


def test_keyed_by_seed_and_epoch() -> None:
    assert order(50, 0, 0).tolist() == order(50, 0, 0).tolist()
    drawn = {tuple(order(50, seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}
    assert len(drawn) == 4


def test_every_place_is_as_likely() -> None:
    first = [order(10, 0, epoch)[0] for epoch in range(2000)]
    counts = np.bincount(first, minlength=10)
    chi = ((counts - 200) ** 2 / 200).sum()
    assert chi < 27.9  # 9 degrees of freedom, p = .001


def test_in_order_for_tests() -> None:
    assert batches(5, 0, 0, 2, shuffle=False) == [[0, 1], [2, 3], [4]]
    assert batches(0, 0, 0, 2) == []
    ranks = [batches(5, 0, 0, 2, 3, rank, shuffle=False) for rank in range(3)]
    assert ranks == [[[], [], []], [[0], [2], []], [[1], [3], [4]]]


def test_too_few_for_the_ranks() -> None:
    with pytest.raises(UsageError, match="a batch of 2 cannot be shared by 3 ranks"):
        batches(100, 0, 0, 2, 3, 0)
    with pytest.raises(UsageError, match="2 clips"):
        batches(2, 0, 0, 8, 3, 0)
