"""What every method must do, and the arm that does nothing."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from sbtools import methods, objectives
from sbtools.errors import UsageError
from sbtools.methods import METHODS
from sbtools.rng import Draws
from sbtools.train.step import Step
from tests.methods.batches import clips
from tests.objectives.small import Small, said

MIXED = ("stillmix", "mixup", "cutmix", "videomix", "be", "actorcutmix", "fame", "swap")
"""These draw for a whole batch, or want what is brought: test_contract.py, test_mixing.py."""

SETTINGS: list[tuple[str, dict[str, Any]]] = [
    *((name, {"p": 0.0} if name in MIXED else {}) for name in METHODS if name != "dark"),
    ("dark", {"weight": 0.0}),
    ("sdn", {"alpha": 0.5, "w_entropy": 0.0}),
    ("mask", {"ratio": "0:1"}),
    ("mask", {"ratio": "1:1:1:1"}),
    ("mask", {"ratio": "0:1", "region": "random"}),
    ("mask", {"ratio": "0:1", "region": "other"}),
    ("mask", {"ratio": "0:1", "region": "none", "color_per": "video"}),
]
DRAWS = Draws(seed=3, epoch=2, step=7)


def build(name: str, **settings: Any) -> methods.Method:
    return methods.build(name, **settings)


@pytest.fixture(params=SETTINGS, ids=lambda pair: "-".join([pair[0], *map(str, pair[1].values())]))
def method(request: pytest.FixtureRequest) -> methods.Method:
    name, settings = request.param
    return build(name, **settings)


def run(method: methods.Method, model: Small) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    method.build_modules(model, {"scene": ["beach", "street"]}, lambda: copy.deepcopy(model))
    method.to(next(model.parameters()).dtype)
    batch = method.augment(described(clips(6), model), DRAWS)
    step = Step(model, method, objectives.build("infonce"))
    found = {}
    for phase in method.phases():
        found.update(step(batch, phase))
    return found


def described(batch: dict[str, Any], model: Small) -> dict[str, Any]:
    target = torch.nn.functional.one_hot(batch["label"], len(model.classes)).to(batch["video"])
    return {**batch, "draws": DRAWS, "target": target, "scene": batch["label"] % 2}


def test_losses_are_finite_scalars_with_a_gradient_to_the_whole_model(
    method: methods.Method,
) -> None:
    model = Small(classes=2)
    losses = run(method, model)
    for name, loss in losses.items():
        assert loss.shape == (), name
        assert torch.isfinite(loss), name
    torch.stack(list(losses.values())).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_the_same_draws_give_the_same_losses(method: methods.Method) -> None:
    again = build(method.name, **method.settings())
    first, second = run(method, Small(classes=2)), run(again, Small(classes=2))
    assert {name: loss.item() for name, loss in first.items()} == {
        name: loss.item() for name, loss in second.items()
    }
    assert again.settings() == method.settings()


def test_a_clip_is_treated_alike_in_any_batch(method: methods.Method) -> None:
    batch = clips(6)
    whole = method.augment(batch, DRAWS)["video"]
    order = [4, 0, 5, 1]
    some = {
        name: value[order] if isinstance(value, torch.Tensor) else [value[i] for i in order]
        for name, value in batch.items()
    }
    elsewhere = Draws(DRAWS.seed, DRAWS.epoch, step=99)
    assert torch.equal(method.augment(some, elsewhere)["video"], whole[order])


def test_the_batch_that_was_given_is_left_alone(method: methods.Method) -> None:
    batch = clips(6)
    method.augment(batch, DRAWS)
    for name, value in clips(6).items():
        same = torch.equal(batch[name], value) if isinstance(value, torch.Tensor) else True
        assert same, name
    assert batch.keys() == clips(6).keys()


def test_an_empty_batch_stays_empty(method: methods.Method) -> None:
    empty = {"video": torch.zeros(0, 2, 3, 5, 5), "label": torch.zeros(0).long(), "id": []}
    assert method.augment(empty, DRAWS)["video"].shape == (0, 2, 3, 5, 5)


def test_plain_training_is_the_objective_on_the_clips_as_they_are() -> None:
    model, method = Small(classes=2), build("none")
    batch = described(clips(6), model)
    assert not method.needs and not method.fits
    assert method.augment(batch, DRAWS) is batch
    (name, loss), *others = run(method, model).items()
    assert (name, others) == ("infonce", [])
    assert loss == said(objectives.build("infonce"), model, batch)
    assert method.tally() == {}


def test_what_is_not_known_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no method 'albatross'; there are"):
        build("albatross")
    with pytest.raises(UsageError, match=r"method none has no setting 'ratio': add --method mask$"):
        build("none", ratio="1:1")
    with pytest.raises(UsageError, match=r"'alpha': add --method .*, mixup, cutmix or videomix$"):
        build("none", alpha="1")
    with pytest.raises(UsageError, match="method none has no setting 'ration'; it has none"):
        build("none", ration="1:1")
    with pytest.raises(UsageError, match="method mask has no setting 'colour'; it has ratio"):
        build("mask", colour="1:1")
