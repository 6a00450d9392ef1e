"""Model linear over networks of the user."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sbtools import models
from sbtools.errors import UsageError
from tests.models.linear_made import FRAMES, linear, scored, video


class Scores(nn.Module):
    """Of the user's: scores, by a last linear layer."""

    frames, recipe = 5, {"size": 16, "normalise": "half"}

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.LazyLinear(width), nn.Tanh())
        self.last = nn.Linear(width, classes)

    def forward(self, seen: Tensor) -> Tensor:
        found: Tensor = self.last(self.body(seen.mean(1)))
        return found


def scores(classes: list[str], width: int = 6) -> nn.Module:
    return Scores(len(classes), width)


def features(width: int = 6) -> nn.Module:
    return Scores(7, width)


def model_of_ours(classes: list[str]) -> nn.Module:
    return linear("frame_cnn", classes, size=16)


def softened(classes: list[str]) -> nn.Module:
    return nn.Sequential(Scores(len(classes), 6), nn.Softmax(1))


def nothing() -> object:
    return lambda seen: seen


def many() -> nn.Module:
    return nn.Flatten(0)


def test_networks_of_the_user() -> None:
    found = linear(f"{__name__}:scores", size=0, settings={"width": "5"})
    seen = video(FRAMES, 16)
    assert found.head.in_features == 5 and found.recipe.normalise == "half"
    body = found.network.body
    assert torch.equal(scored(found, seen), found.head(body(seen.mean(1))))
    again = models.rebuild(found.spec())
    again.load_state_dict(found.state_dict())
    assert torch.equal(scored(again, seen), scored(found, seen))
    assert linear(f"{__name__}:features", size=0).head.in_features == 7
    assert linear(f"{__name__}:model_of_ours", size=16).head.in_features == 256
    with pytest.raises(UsageError, match="a number for each of 3 classes, which no"):
        linear(f"{__name__}:softened", size=16)
    with pytest.raises(UsageError, match="is trained"):
        linear(f"{__name__}:nothing")
    with pytest.raises(UsageError, match=r"not features \[clips, D\] or scores"):
        linear(f"{__name__}:many", size=16)
    with pytest.raises(UsageError, match="no setting 'hight'"):
        linear(f"{__name__}:scores", settings={"hight": "1"})
