"""ActionCLIP on two ranks, with unequal shares, against one process with the whole batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from sbtools.models.actionclip import ActionCLIP
from sbtools.objectives import build
from sbtools.rng import Draws
from sbtools.train.group import Ranks
from tests import two_ranks
from tests.models.small_clip import FRAMES, small, videos
from tests.objectives.small import OWN, said

CLASSES = ["juggling balls", "archery", "tying a tie", "dancing"]
SHARES = {0: slice(0, 3), 1: slice(3, 5)}


class Step(torch.nn.Module):
    """What is trained, under one forward."""

    def __init__(self, objective: str) -> None:
        super().__init__()
        self.model = ActionCLIP(small(), CLASSES, frames=FRAMES).train()
        self.objective = build(objective)

    def forward(self, batch: dict[str, Any]) -> Any:
        return said(self.objective, self.model, batch)


def batch(step: int, share: slice) -> dict[str, Any]:
    made = {
        "video": videos(5, seed=step)[share],
        "label": torch.tensor([3, 1, 3, 2, 1])[share],
        "id": [f"clip {i}" for i in range(5)][share],
    }
    return made | {"draws": Draws(seed=1, epoch=1, step=step)}


def trained(step: Any, share: slice) -> dict[str, Any]:
    """Weights and losses after three steps."""
    optimiser = torch.optim.SGD(step.parameters(), lr=0.05)
    losses = []
    for number in range(3):
        optimiser.zero_grad()
        loss = step(batch(number, share))
        loss.backward()
        losses.append(loss.detach())
        optimiser.step()
    whole = getattr(step, "module", step)
    return {"losses": torch.stack(losses)} | {n: p.detach() for n, p in whole.named_parameters()}


def work(ranks: Ranks, folder: str) -> None:
    share = SHARES[ranks.rank]
    found = {n: trained(DistributedDataParallel(Step(n)), share) for n in OWN}
    for told in found.values():
        dist.all_reduce(told["losses"])
        told["losses"] /= 2
    torch.save(found, f"{folder}/{ranks.rank}.pt")


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("ranks")
    two_ranks.start(work, str(folder))
    return [torch.load(Path(folder, f"{rank}.pt"), weights_only=True) for rank in (0, 1)]


@pytest.mark.parametrize("name", OWN)
def test_two_ranks_train_as_one_process(ranks: list[dict[str, dict[str, Any]]], name: str) -> None:
    first, second = (told[name] for told in ranks)
    assert all(torch.equal(value, second[key]) for key, value in first.items())
    start = {f"model.{n}": p for n, p in Step(name).model.named_parameters()}
    for key, value in trained(Step(name), slice(None)).items():
        torch.testing.assert_close(first[key], value, rtol=0, atol=1e-5)
        assert key == "losses" or not torch.equal(value, start[key])
