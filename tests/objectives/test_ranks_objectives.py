"""Two ranks with unequal shares of a batch against one process with all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from sbtools.objectives import build
from sbtools.rng import Draws
from sbtools.train.group import Ranks
from tests import two_ranks
from tests.objectives.small import OWN, Small, batch, said

LABELS = [2, 0, 2, 1, 2]
SHARES = {0: slice(0, 3), 1: slice(3, 5)}


def clips(mix: bool) -> dict[str, Any]:
    made = batch(LABELS)
    made["draws"] = Draws(seed=1, epoch=1, step=1)
    hot = torch.nn.functional.one_hot(made["label"], 3).double()
    made["target"] = 0.6 * hot + 0.4 * hot[[1, 2, 0, 4, 3]] if mix else hot
    return made


def share(whole: dict[str, Any], rank: int) -> dict[str, Any]:
    return {k: v if isinstance(v, Draws) else v[SHARES[rank]] for k, v in whole.items()}


def losses(name: str, made: dict[str, Any]) -> tuple[Any, list[Any]]:
    """The loss, and its gradient to each parameter."""
    model = Small(templates=4)
    loss = said(build(name), model, made, made["target"])
    return loss.detach(), list(torch.autograd.grad(loss, list(model.parameters())))


def work(ranks: Ranks, folder: str) -> None:
    found = {}
    for name in OWN:
        for mix in (False, True):
            loss, gradients = losses(name, share(clips(mix), ranks.rank))
            for value in (loss, *gradients):
                dist.all_reduce(value)
                value /= 2
            found[f"{name} {mix}"] = [loss, *gradients]
    torch.save(found, f"{folder}/{ranks.rank}.pt")


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What two ranks have, averaged, as DistributedDataParallel does."""
    folder = tmp_path_factory.mktemp("ranks")
    two_ranks.start(work, str(folder))
    found = [torch.load(Path(folder, f"{rank}.pt"), weights_only=True) for rank in (0, 1)]
    assert found[0].keys() == found[1].keys()
    return found[1]


@pytest.mark.parametrize("mix", [False, True])
@pytest.mark.parametrize("name", OWN)
def test_two_ranks_are_one_process(ranks: dict[str, list[Any]], name: str, mix: bool) -> None:
    loss, gradients = losses(name, clips(mix))
    for ours, theirs in zip([loss, *gradients], ranks[f"{name} {mix}"], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
