"""SDN: its signs by a model worked out by hand, and which clips count without their people."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sbtools import methods
from sbtools.errors import SbtoolsError, UsageError
from sbtools.methods.base import Phase
from sbtools.methods.hidden import without
from sbtools.methods.sdn import PEOPLE, SDN

MAIN = Phase()


def build(**settings: Any) -> SDN:
    method = methods.build("sdn", **settings)
    assert isinstance(method, SDN)
    return method


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("alpha", [1.0, 0.5, -2.0])
def test_what_the_head_learns_the_features_unlearn(alpha: float) -> None:
    """f = a v, scores of two scenes (w f, -w f), and the scene is the first: by hand dL/dw is
    -2 a v sigmoid(-2 w a v), and dL/da, turned round, 2 alpha w v sigmoid(-2 w a v)."""
    a, w, v = 0.7, 0.4, 1.5
    method = build(alpha=alpha, w_entropy=0.0)
    method.head = nn.Sequential(nn.Linear(1, 2, bias=False)).double()
    method.head[0].weight.data = torch.tensor([[w], [-w]], dtype=torch.float64)
    weight = torch.tensor(a, dtype=torch.float64, requires_grad=True)
    outputs: Any = SimpleNamespace(features=(weight * v).reshape(1, 1),
                                   batch={"scene": torch.tensor([0])})  # fmt: skip
    term = method.losses(outputs, MAIN)["scene"]
    assert term.item() == pytest.approx(math.log(1 + math.exp(-2 * w * a * v)))
    own, head = torch.autograd.grad(term, [weight, method.head[0].weight])
    low = sigmoid(-2 * w * a * v)
    assert own.item() == pytest.approx(2 * alpha * w * v * low)
    assert head.flatten().tolist() == pytest.approx([-a * v * low, a * v * low])


def hidden(z: Tensor, people: Tensor, **more: Any) -> Any:
    """Outputs whose two scores of a clip without its people are (z, 0)."""
    video = torch.zeros(len(z), *people.shape[1:2], 3, *people.shape[2:], dtype=z.dtype)
    logits = torch.stack([z, torch.zeros_like(z)], dim=1)
    batch = {"video": video, "person_box": people, "id": list("abcd")[: len(z)]}
    return SimpleNamespace(batch=batch, of=lambda video: SimpleNamespace(logits=logits))


@pytest.mark.parametrize("weight", [1.0, -0.5])
def test_without_people_answers_become_even(weight: float) -> None:
    """d/dz sum p log p = z p (1 - p): a step against it takes z nearer to 0, where w is above 0."""
    z = torch.tensor([1.2], dtype=torch.float64, requires_grad=True)
    people = torch.ones(1, 2, 3, 3, dtype=torch.bool)
    term = build(w_entropy=weight).losses(hidden(z, people), Phase(PEOPLE))["entropy"]
    p = sigmoid(1.2)
    assert term.item() == pytest.approx(weight * (p * math.log(p) + (1 - p) * math.log(1 - p)))
    (slope,) = torch.autograd.grad(term, z)
    assert slope.item() == pytest.approx(weight * 1.2 * p * (1 - p))


def test_clips_of_few_people_do_not_count() -> None:
    """People in 2, 1, 0 and 4 of 4 frames, of which half are wanted."""
    people = torch.zeros(4, 4, 3, 3, dtype=torch.bool)
    for clip, frames in enumerate((2, 1, 0, 4)):
        people[clip, :frames, 0, 0] = True
    z = torch.tensor([0.3, 0.9, 1.0, -2.0], dtype=torch.float64, requires_grad=True)
    method = build()
    term = method.losses(hidden(z, people), Phase(PEOPLE))["entropy"]
    each = [sigmoid(x) * math.log(sigmoid(x)) + sigmoid(-x) * math.log(sigmoid(-x))
            for x in (0.3, -2.0)]  # fmt: skip
    assert term.item() == pytest.approx(sum(each) / 2)
    (slopes,) = torch.autograd.grad(term, z)
    assert [slope != 0 for slope in slopes.tolist()] == [True, False, False, True]
    assert method.tally() == {"hidden": 2, "left": 2} and method.tally()["hidden"] == 0
    lost = hidden(z, people)
    del lost.batch["person_box"]
    with pytest.raises(SbtoolsError, match=r"^method sdn: the batch has no boxes of people"):
        method.losses(lost, Phase(PEOPLE))
    none = build().losses(hidden(z, torch.zeros_like(people)), Phase(PEOPLE))["entropy"]
    assert none.item() == 0 and not torch.autograd.grad(none, z)[0].any()


def test_people_have_the_mean_colour_of_their_frame() -> None:
    drawn = torch.Generator().manual_seed(1)
    video = torch.randn(2, 3, 3, 4, 5, generator=drawn)
    people = torch.rand(2, 3, 4, 5, generator=drawn) < 0.3
    found = without(video, people)
    for clip in range(2):
        for frame in range(3):
            mean = video[clip, frame].reshape(3, -1).mean(1)
            for y in range(4):
                for x in range(5):
                    wanted = mean if people[clip, frame, y, x] else video[clip, frame, :, y, x]
                    torch.testing.assert_close(found[clip, frame, :, y, x], wanted)


def test_weights_of_0_leave_nothing() -> None:
    method = build(alpha=0.0, w_entropy=0.0)
    assert not method.needs and method.phases() == (MAIN,) and not method.tally()
    model: Any = SimpleNamespace(width=3)
    assert not method.build_modules(model, {}, lambda: model) and not list(method.parameters())
    assert method.losses(SimpleNamespace(), MAIN) == {}  # type: ignore[arg-type]
    assert build(w_entropy=0.0).needs == {"scene": {"of": "name"}}
    assert build(alpha=0.0).needs == {"boxes": {"min_score": 0.3}}
    assert [phase.name for phase in build().phases()] == ["main", PEOPLE]


def test_the_head_has_as_many_layers_as_asked() -> None:
    model: Any = SimpleNamespace(width=6)
    for layers in (1, 3):
        method = build(layers=layers)
        (group,) = method.build_modules(model, {"scene": ["a", "b"]}, lambda: model)
        assert sum(isinstance(part, nn.Linear) for part in method.head) == layers + 1
        assert method.head(torch.zeros(5, 6)).shape == (5, 2) and group["name"] == "sdn.head"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"alpha": float("inf")}, "alpha is a number, not inf"),
        ({"layers": 0}, "layers is 1 or more, not 0"),
        ({"scene": "place"}, "scene is name, scores, not 'place'"),
        ({"least": 1.5}, "least is a probability, 0 to 1, not 1.5"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        build(**settings)
