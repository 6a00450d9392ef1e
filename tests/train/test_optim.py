"""Learning rates and parameter groups."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from sbtools.errors import SbtoolsError
from sbtools.train.optim import not_finite, optimizer_of
from sbtools.train.schedules import Schedule
from sbtools.train.settings import Settings


def test_by_hand() -> None:
    plan = Schedule(steps_per_epoch=4, epochs=3, warmup_epochs=1, floor=0.2)
    assert [plan.factor(step) for step in range(4)] == [0, 0.25, 0.5, 0.75]
    assert plan.factor(4) == 1
    assert plan.factor(6) == pytest.approx(0.2 + 0.8 * (1 + math.sqrt(0.5)) / 2)
    assert plan.factor(8) == pytest.approx(0.6)
    assert plan.factor(12) == pytest.approx(0.2)
    assert plan.steps == 12


def test_without_warm_up_as_torch_has_it() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=3.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 30, eta_min=0.03)
    plan = Schedule(10, 3, 0, 0.01)
    for step in range(30):
        assert 3 * plan.factor(step) == pytest.approx(theirs.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        theirs.step()


def test_nothing_but_warm_up() -> None:
    plan = Schedule(2, 1, warmup_epochs=5, floor=0.5)
    assert [plan.factor(step) for step in (0, 1)] == [0, 0.1]
    assert Schedule(2, 1, warmup_epochs=1, floor=0.5).factor(2) == 0.5


class Parts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 2)


def test_each_group_has_its_rate() -> None:
    parts = Parts()
    groups = [
        {"params": list(parts.a.parameters()), "lr_scale": 10.0},
        {"params": list(parts.b.parameters()), "weight_decay": 0.0},
        {"params": []},
    ]
    asked = Settings(model="x", weight_decay=0.2, betas=(0.8, 0.9), eps=1e-6)
    optimizer = optimizer_of(parts, groups, asked)
    now = Schedule(10, 1, 0, 0.0).apply(optimizer, 0.5, 5)
    assert now == pytest.approx(0.25)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([2.5, 0.25])
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.2, 0.0]
    assert {(group["betas"], group["eps"]) for group in optimizer.param_groups} == {
        ((0.8, 0.9), 1e-6)
    }


def test_what_is_in_no_group_or_in_two_is_named() -> None:
    parts = Parts()
    a, b = list(parts.a.parameters()), list(parts.b.parameters())
    asked = Settings(model="x")
    with pytest.raises(SbtoolsError, match=r"b\.weight is trainable, but in no"):
        optimizer_of(parts, [{"params": a}], asked)
    with pytest.raises(SbtoolsError, match=r"a\.weight is in two"):
        optimizer_of(parts, [{"params": a}, {"params": [*b, a[0]]}], asked)
    parts.b.requires_grad_(False)
    optimizer_of(parts, [{"params": a}], asked)
    parts.a.requires_grad_(False)
    with pytest.raises(SbtoolsError, match="nothing to train"):
        optimizer_of(parts, [{"params": []}], asked)


def test_not_finite() -> None:
    parts = Parts()
    parts.register_buffer("count", torch.tensor(3))
    assert not_finite(parts) == []
    with torch.no_grad():
        parts.b.bias[1] = float("inf")
    assert not_finite(parts) == ["b.bias"]
