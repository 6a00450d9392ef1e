"""Optimisers, and the learning rates and decays of groups of parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sbtools.errors import UsageError
from sbtools.train import plan
from sbtools.train.checkpoint import read
from sbtools.train.groups import grouped
from sbtools.train.optim import optimizer_of
from sbtools.train.schedules import Schedule
from sbtools.train.settings import Settings
from sbtools.train.train_flags import TrainFlags
from tests.train import faking
from tests.train.faking import Stop, make_arrays, make_run, train

NESTEROV = {"momentum": 0.5, "nesterov": True}
THEIRS: dict[str, Any] = {
    "adamw": (torch.optim.AdamW, {"betas": (0.8, 0.9), "eps": 1e-3}, {}),
    "adam": (torch.optim.Adam, {"betas": (0.8, 0.9), "eps": 1e-3}, {}),
    "sgd": (torch.optim.SGD, NESTEROV, NESTEROV),
}  # fmt: skip


class Small(nn.Module):
    """A backbone with a norm and a table of positions, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
        self.position = nn.Parameter(torch.ones(2, 4))
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.backbone(x) + self.position.mean(0))
        return found


def groups_of(small: Small) -> list[dict[str, Any]]:
    rest = [*small.backbone.parameters(), small.position]
    return [
        {"name": "backbone", "params": rest},
        {"name": "head", "params": list(small.head.parameters()), "lr_scale": 10.0},
    ]


def values_of(small: Small, *rules: str) -> dict[str, tuple[Any, Any]]:
    """Name of a parameter -> its lr_scale and weight_decay."""
    found = grouped(small, groups_of(small), rules)
    names = {id(p): name for name, p in small.named_parameters()}
    told = {
        names[id(p)]: (group.get("lr_scale"), group.get("weight_decay"))
        for group in found
        for p in group["params"]
    }
    assert len(told) == sum(len(group["params"]) for group in found) == len(names)
    return told


@pytest.mark.parametrize("name", THEIRS)
def test_steps_are_torchs_own(name: str) -> None:
    """Ten steps in float64, two groups of other rates, beside torch's optimiser set up by hand."""
    kind, taken, own = THEIRS[name]
    torch.manual_seed(0)
    ours, theirs = Small().double(), Small().double()
    theirs.load_state_dict(ours.state_dict())
    asked = Settings("x", optimiser=name, optimiser_settings=own, weight_decay=0.3,
                     betas=(0.8, 0.9), eps=1e-3)  # fmt: skip
    made = optimizer_of(ours, groups_of(ours), asked)
    rates = {"backbone": 0.01, "head": 0.1}
    hand = kind(
        [{"params": g["params"], "lr": rates[g["name"]]} for g in groups_of(theirs)],
        weight_decay=0.3, **taken,
    )  # fmt: skip
    for step in range(10):
        Schedule(20, 1, 0, 1.0).apply(made, 0.01, step)
        for small, optimizer in ((ours, made), (theirs, hand)):
            optimizer.zero_grad()
            shown = torch.linspace(-1, 1, 15, dtype=torch.float64).view(5, 3)
            small(shown).square().mean().backward()
            optimizer.step()
    for name_, weight in ours.named_parameters():
        torch.testing.assert_close(weight, theirs.get_parameter(name_), rtol=1e-12, atol=1e-14)
    assert not torch.equal(ours.head.weight, Small().double().head.weight)


def test_vectors_are_what_timm_leaves_without_decay() -> None:
    from timm.optim import param_groups_weight_decay

    small = Small()
    theirs = param_groups_weight_decay(small, 0.3, no_weight_decay_list=["position"])
    names = {id(p): name for name, p in small.named_parameters()}
    wanted = {names[id(p)]: g["weight_decay"] for g in theirs for p in g["params"]}
    told = values_of(
        small, "*:weight_decay=0.3", "vectors:weight_decay=0", "position:weight_decay=0"
    )
    assert {name: decay for name, (_, decay) in told.items()} == wanted
    assert set(wanted.values()) == {0.0, 0.3}


def test_rules_by_hand() -> None:
    small = Small()
    told = values_of(
        small, "backbone:lr_scale=0.1", "norms:weight_decay=0,lr_scale=2", "*.1.bias:lr_scale=3"
    )
    assert told == {
        "backbone.0.weight": (0.1, None), "backbone.0.bias": (0.1, None),
        "backbone.1.weight": (2, 0), "backbone.1.bias": (3, 0), "position": (0.1, None),
        "head.weight": (10, None), "head.bias": (10, None),
    }  # fmt: skip
    told = values_of(small, "biases:weight_decay=0", "head:lr_scale=1")
    assert told["head.bias"] == (1, 0) and told["head.weight"] == (1, None)
    assert [name for name, (_, decay) in told.items() if decay == 0] == [
        "backbone.0.bias", "backbone.1.bias", "head.bias",
    ]  # fmt: skip


def test_parts_keep_the_name_of_their_group_and_no_rule_changes_nothing() -> None:
    small = Small()
    assert grouped(small, groups_of(small), ()) == groups_of(small)
    cut = grouped(small, groups_of(small), ["norms:weight_decay=0"])
    assert [group["name"] for group in cut] == ["backbone", "backbone", "head"]


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("norm:weight_decay=0", r"no parameter is called 'norm'; give one of backbone, head"),
        ("norms", "is not WHICH:lr_scale=N"),
        ("norms:decay=0", "is not WHICH:lr_scale=N"),
        ("norms:lr_scale=-1", "numbers not below 0"),
        ("norms:lr_scale=x", "is not WHICH:lr_scale=N"),
        ("norms:lr_scale=1,lr_scale=2", "is not WHICH:lr_scale=N"),
        (":lr_scale=1", "is not WHICH:lr_scale=N"),
    ],
)
def test_a_rule_that_cannot_be_is_named(rule: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        values_of(Small(), rule)


@pytest.mark.parametrize(
    ("values", "pairs", "told"),
    [
        ({"optimiser": "lion"}, [], "no optimiser 'lion'; there are adam, adamw, sgd"),
        ({"optimiser": "sgd"}, ["beta=1"], "sgd has no setting 'beta'; it has momentum, nest"),
        ({"optimiser": "sgd"}, ["momentum=0", "nesterov=true"], "optimiser sgd: Nesterov"),
        ({"optimiser": "sgd"}, ["momentum=-1"], "optimiser sgd: Invalid momentum"),
        ({"optimiser": "sgd", "betas": (0.9, 0.9)}, [], "--betas: optimiser sgd has none"),
        ({"groups": ("norms",)}, [], "--group 'norms' is not WHICH"),
    ],
)  # fmt: skip
def test_what_an_optimiser_cannot_be_set_to_is_named(
    values: dict[str, Any], pairs: list[str], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        plan.settle(TrainFlags("vificlip", values=values, optimiser_pairs=pairs))


def test_another_package_adds_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from sbtools.train.optimisers import OPTIMISERS

    monkeypatch.setitem(OPTIMISERS, "rprop", "tests.train.test_optimisers:rprop")
    asked = TrainFlags("vificlip", values={"optimiser": "rprop"}, optimiser_pairs=["fast=1.5"])
    settings, _ = plan.settle(asked)
    assert settings.optimiser_settings == {"fast": 1.5}
    small = Small()
    made = optimizer_of(small, groups_of(small), settings)
    assert isinstance(made, torch.optim.Rprop) and made.param_groups[1]["etas"] == (0.5, 1.5)


def rprop(groups: Any, lr: float, weight_decay: float, fast: float = 1.2) -> torch.optim.Optimizer:
    """Without weight decay."""
    return torch.optim.Rprop(groups, lr=lr, etas=(0.5, fast))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_run_by_sgd_with_rules_goes_on_where_it_was_stopped(
    tmp_path: Path, momentum: float
) -> None:
    torch.set_num_threads(1)
    asked = faking.settings(
        optimiser="sgd", optimiser_settings={"momentum": momentum}, schedule="steps",
        schedule_settings={"at": "1,2", "gamma": 0.5}, groups=("biases:lr_scale=3,weight_decay=0",),
        objective="class_ce", warmup=0.5,
    )  # fmt: skip
    records = make_arrays(tmp_path, 11)
    with faking.registered():
        whole = make_run(tmp_path / "whole", records, asked)
        assert train(whole, tmp_path)[0] == "done"
        again = make_run(tmp_path / "again", records, asked)
        assert train(again, tmp_path, Stop(5))[0] == "term"
        assert train(again, tmp_path)[0] == "done"
    states = [read(f"{run}/last.pt")[0] for run in (whole, again)]
    for name, weight in states[0]["model"].items():
        assert torch.equal(weight, states[1]["model"][name]), name
    held = states[0]["optimizer"]["param_groups"]
    assert [group["name"] for group in held] == ["towers", "towers", "table"]
    assert [group["weight_decay"] for group in held] == [0.001, 0.0, 0.001]
    assert [group["lr"] for group in held] == pytest.approx([0.0125, 0.0375, 0.125])
