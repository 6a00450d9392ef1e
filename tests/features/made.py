"""Models that features are taken of, as a user would name them: tests.features.made:NAME."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sbtools.methods.base import Method
from sbtools.models.base import Encoded
from sbtools.models.outputs import Outputs


class Pooled(nn.Module):
    """Each frame on a grid of 4 x 4 cells, averaged over frames: these 48 are the features."""

    recipe: ClassVar[dict[str, Any]] = {"size": 64, "short": 64}
    frames = 4

    def __init__(self, classes: list[str]) -> None:
        super().__init__()
        self.classes = classes
        self.passes = 0
        self.head = nn.Linear(48, len(classes), bias=False)
        drawn = torch.Generator().manual_seed(2)
        self.head.weight.data = torch.randn(len(classes), 48, generator=drawn)

    def forward(self, video: Tensor) -> Tensor:
        self.passes += len(video)
        found: Tensor = self.head(pooled(video))
        return found


def pooled(video: Tensor) -> Tensor:
    """By hand what enters the head of `Pooled`: [B, T, 3, 64, 64] to [B, 48]."""
    cells = video.mean(1).unflatten(-1, (4, 16)).unflatten(-3, (4, 16))
    return cells.mean((-3, -1)).flatten(1)


class Wide(Pooled):
    """A product of matrices, whose last bits depend on how many clips there are."""

    def __init__(self, classes: list[str]) -> None:
        super().__init__(classes)
        drawn = torch.Generator().manual_seed(3)
        self.body = nn.Linear(3 * 64 * 64, 48, bias=False)
        self.body.weight.data = torch.randn(48, 3 * 64 * 64, generator=drawn) / 64

    def forward(self, video: Tensor) -> Tensor:
        found: Tensor = self.head(self.body(video.mean(1).flatten(1)))
        return found


class Touchy(Pooled):
    """Its features are no numbers where a clip is mostly of one colour in its upper corner."""

    def forward(self, video: Tensor) -> Tensor:
        return super().forward(video * float("nan"))


class Swapped(nn.Module):
    """What comes last is no linear layer."""

    recipe: ClassVar[dict[str, Any]] = Pooled.recipe
    frames = 4

    def forward(self, video: Tensor) -> Tensor:
        return pooled(video).softmax(1)


def grid(classes: list[str] | None = None) -> Pooled:
    return Pooled(classes or ["a", "b"])


def wide() -> Wide:
    return Wide(["a", "b"])


def touchy() -> Touchy:
    return Touchy(["a", "b"])


def swapped() -> Swapped:
    return Swapped()


class Turned(Method):
    """The last layer sees features the other way round; a second stream is their squares."""

    name = "turned"

    def represent(self, encoded: Encoded) -> Encoded:
        return Encoded(encoded.features.flip(-1))

    def streams(self, outputs: Outputs) -> dict[str, Tensor]:
        return {"turned": outputs.features, "squares": outputs.encoded.features**2}
