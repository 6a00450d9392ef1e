"""Models made by hand, for `--model tests.evaluate.scorers:NAME`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sbtools.demo.actions import NAMES
from sbtools.demo.looks import CLOTHES
from sbtools.demo.scenes import SCENES
from sbtools.loader import Clips, finish
from sbtools.loader.sample import Sample, collate
from sbtools.methods.base import Batch
from sbtools.models.recipe import Recipe

RECIPE: dict[str, Any] = {"size": 64, "short": 64}
FRAMES = 4
GAIN = 1.0
"""Of the linear model; a test changes it."""


class Hand:
    """What the hand-made models share: clips of 64 pixels, nothing resized."""

    recipe: ClassVar[dict[str, Any]] = RECIPE
    frames = FRAMES

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = list(classes)

    def __call__(self, video: Tensor) -> Tensor:
        return torch.zeros(len(video), len(self.classes))


class Perfect(Hand):
    """Names the label, whatever it is shown."""

    def predict(self, batch: Batch) -> Tensor:
        return nn.functional.one_hot(batch["label"], len(self.classes)).float()


class Memory(Hand):
    """Goes by one cue, which it tells by what clips of these records look like."""

    def __init__(self, classes: Sequence[str], records: str, cue: str) -> None:
        super().__init__(classes)
        with open(records, encoding="utf-8") as file:
            kept = [json.loads(line) for line in file]
        self.look = border if cue == "scene" else clothed
        clips = Clips(kept, (), Recipe(**RECIPE), FRAMES, train=False, needs={"masks"}, root=".")
        samples = [clips[place, 0] for place in range(len(kept))]
        assert all(isinstance(sample, Sample) for sample in samples)
        batch = finish(collate(samples, FRAMES, 64), clips.recipe)  # type: ignore[arg-type]
        self.known = self.look(batch["video"], batch["person"])
        cues = list(SCENES) if cue == "scene" else list(CLOTHES)
        self.answers = torch.tensor([cues.index(record[cue]) for record in kept])

    def predict(self, batch: Batch) -> Tensor:
        seen = self.look(batch["video"], batch["person"])
        nearest = torch.cdist(seen, self.known).argmin(1)
        return nn.functional.one_hot(self.answers[nearest], len(self.classes)).float()


def border(video: Tensor, person: Tensor) -> Tensor:
    """The rows and columns at the edge of the first frame: [B, 4 * 3 * 64]."""
    frame = video[:, 0]
    edges = [frame[..., 0, :], frame[..., -1, :], frame[..., 0], frame[..., -1]]
    return torch.cat([edge.flatten(1) for edge in edges], 1)


def clothed(video: Tensor, person: Tensor) -> Tensor:
    """The mean colour of what is seen where the person is: [B, 3]."""
    weight = person[:, :, None].float()
    return (video * weight).sum((1, 3, 4)) / weight.sum((1, 3, 4))


class Linear(nn.Module):
    """A linear map of the frames' pixels, coarsely; its weights do not depend on anything."""

    recipe = RECIPE
    frames = FRAMES

    def __init__(self, classes: Sequence[str], gain: float = 1.0) -> None:
        super().__init__()
        self.classes = list(classes)
        weight = gain * GAIN * torch.linspace(-1, 1, 3 * 16 * len(classes)).sin()
        self.weight = nn.Parameter(weight.view(len(classes), -1))

    def forward(self, video: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(video.mean(1), 4).flatten(1) @ self.weight.T


class Touchy(Linear):
    """Gives NaN where the upper left corner of the first two frames is alike: it is painted."""

    def forward(self, video: Tensor) -> Tensor:
        corner = video[:, :2, :, :4, :4]
        painted = (corner == corner[:, :1, :, :1, :1]).flatten(1).all(1)
        return super().forward(video).masked_fill(painted[:, None], float("nan"))


class Counting(Hand):
    """Names the second class where so many pixels of the first frame are left, else the first.

    A pixel that --fill mean has painted is 0 in every channel.
    """

    recipe: ClassVar[dict[str, Any]] = {"size": 128, "short": 128}

    def __init__(self, classes: Sequence[str], least: int) -> None:
        super().__init__(classes)
        self.least = least

    def __call__(self, video: Tensor) -> Tensor:
        left = (video[:, 0] != 0).any(1).sum((1, 2))  # [B]
        return nn.functional.one_hot((left >= self.least).long(), len(self.classes)).float()


def counting(classes: list[str], least: int = 700) -> Counting:
    return Counting(classes, least)


def perfect(classes: list[str]) -> Perfect:
    return Perfect(classes)


def constant(classes: list[str]) -> Hand:
    return Hand(classes)


def by_cue(classes: list[str], records: str = "", cue: str = "scene") -> Memory:
    return Memory(classes, records, cue)


def linear(classes: list[str], gain: float = 1.0) -> Linear:
    return Linear(classes, gain)


def own() -> Linear:
    """The linear model of the demo's classes, which it spells otherwise."""
    made = Linear(list(NAMES))
    made.classes = [name.replace("-", "_").upper() for name in NAMES]
    return made


def touchy(classes: list[str]) -> Touchy:
    return Touchy(classes)


def short(classes: list[str]) -> Linear:
    """One class too few."""
    made = Linear(classes[1:])
    made.classes = list(classes)
    return made


nothing = 3
