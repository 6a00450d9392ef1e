"""Phases: what each trains, and what is refused before the first step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sbtools.errors import SbtoolsError, UsageError
from sbtools.methods.base import Method, Phase
from sbtools.methods.several import Several
from sbtools.objectives import build
from sbtools.rng import Draws
from sbtools.train.group import Ranks
from sbtools.train.optim import optimizer_of
from sbtools.train.optimizer_step import OptimizerStep
from sbtools.train.phases import require_phases
from sbtools.train.settings import Settings
from sbtools.train.step import Step
from tests.train.faking import CLASSES, Fake, registered, settings
from tests.train.test_step import batch


@pytest.fixture(autouse=True)
def fakes() -> Iterator[None]:
    with registered():
        yield


class Phased(Method):
    """Phases that are given, with terms that reach every weight of the model."""

    name = "phased"

    def __init__(self, *phases: Phase, terms: bool = True) -> None:
        super().__init__()
        self.told, self.terms = phases, terms

    def build_modules(self, model: Any, facts: Any, build: Any) -> list[dict[str, Any]]:
        self.head = nn.Linear(model.width, 2)
        return [{"name": "phased.head", "params": list(self.head.parameters())}]

    def phases(self) -> tuple[Phase, ...]:
        return self.told

    def losses(self, outputs: Any, phase: Phase) -> dict[str, Tensor]:
        if not self.terms:
            return {}
        return {"term": outputs.logits.square().mean() + self.head(outputs.features).square().sum()}


def updates(method: Method, objective: str = "class_ce") -> OptimizerStep:
    torch.manual_seed(0)
    model = Fake(CLASSES, frames=2)
    groups = [*model.groups(), *method.build_modules(model, {}, None)]  # type: ignore[arg-type]
    step = Step(model, method, build(objective)).train()
    require_phases(step, groups)
    asked: Settings = settings(lr=0.01)
    return OptimizerStep(
        step, optimizer_of(step, groups, asked), asked, Ranks(0, 1, torch.device("cpu"))
    )


def moved(made: OptimizerStep) -> set[str]:
    """The weights that one batch changes."""
    before = {name: p.detach().clone() for name, p in made.step.named_parameters()}
    made(batch(), Draws(1), [6])
    assert all(p.requires_grad for p in made.step.parameters())
    return {name for name, p in made.step.named_parameters() if not torch.equal(p, before[name])}


TOWERS = {"model.visual.weight", "model.visual.bias", "model.log_scale"}
HEAD = {"method.head.weight", "method.head.bias"}


@pytest.mark.parametrize(
    ("trains", "wanted"),
    [
        (("table",), {"model.table"}),
        (("towers",), TOWERS),
        (("phased.head",), HEAD),
        (("table", "phased.head"), {"model.table"} | HEAD),
        (None, TOWERS | {"model.table"} | HEAD),
    ],
)
def test_a_phase_changes_the_groups_that_it_names(trains: Any, wanted: set[str]) -> None:
    """Though its loss reaches every weight."""
    assert moved(updates(Phased(Phase(trains=trains, texts="all")))) == wanted


def test_each_phase_sees_what_the_one_before_has_changed() -> None:
    """Both together are the two one after another."""
    first = Phase("first", trains=("table",), texts="all", objective=False)
    made = updates(Phased(first, Phase(texts="all")))
    told = made(batch(), Draws(1), [6])
    assert told.keys() == {"norm", "first/term", "class_ce", "term"}
    alone = updates(Phased(Phase(texts="all")))
    again = alone(batch(), Draws(1), [6])
    assert told["first/term"] == pytest.approx(again["term"]) and told["term"] < again["term"]


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_phase_without_terms_is_left_out(accumulate: int) -> None:
    """Bit for bit, moments of the optimiser and all."""
    states = []
    for phases in ((Phase(),), (Phase("idle", trains=("phased.head",), objective=False), Phase())):
        made = updates(Phased(*phases, terms=False))
        made.settings = settings(lr=0.01, accumulate=accumulate)
        for number in range(3):
            told = made(batch(seed=number), Draws(1, 0, number), [6])
            assert told.keys() == {"norm", "class_ce"}
        moments = [v for held in made.optimizer.state.values() for v in held.values()]
        states.append([*made.step.parameters(), *moments])
    assert len(states[0]) == len(states[1])
    assert all(map(torch.equal, *states))


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        ((Phase(trains=("tabel",)),), "phase main trains 'tabel', and there is nothing of that na"),
        ((Phase(trains=("phased.head", "empty")),), "trains 'empty', and there is nothing"),
        ((Phase(trains=()),), "phase main trains nothing"),
        ((Phase(objective=False),), "exactly one of its phases has the objective"),
        ((Phase("a"), Phase("b")), "exactly one of its phases has the objective"),
        ((Phase("a"), Phase("a", objective=False)), "has two phases a"),
        ((Phase(texts="some"),), "texts of phase main are some, not one of none, batch, all"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_the_first_step(
    phases: tuple[Phase, ...], message: str
) -> None:
    with pytest.raises(SbtoolsError, match=message):
        updates(Phased(*phases))


def test_a_group_whose_weights_are_frozen_is_empty() -> None:
    method = Phased(Phase(trains=("table",)))
    model = Fake(CLASSES, frames=2)
    model.table.requires_grad_(False)
    with pytest.raises(SbtoolsError, match="trains 'table', and there is nothing of that name"):
        require_phases(Step(model, method, build("class_ce")), model.groups())


def test_what_is_required_is_named() -> None:
    class Wants(Method):
        name = "wants"
        requires = frozenset({"one_frame", "texts"})

    message = "method wants requires what model fake does not have: motionless clips at the cost of"
    with pytest.raises(UsageError, match=message):
        updates(Several([Wants(), Phased(Phase())]))
    Fake.provides, before = frozenset({"texts"}), Fake.provides
    try:
        with pytest.raises(
            UsageError,
            match=r"objective infonce requires .*: cosines .*; else --objective class_ce",
        ):
            updates(Phased(Phase()), "infonce")
    finally:
        Fake.provides = before
