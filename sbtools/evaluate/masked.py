"""The masked views of the paper, equations 2 to 6: X = M * V + c * (1 - M)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sbtools.evaluate.views import Setup, View, need
from sbtools.mask import equations
from sbtools.mask.fill import NORMALISE, normal
from sbtools.methods.base import Batch
from sbtools.rng import Draws

KEEPS = ("bg", "bg+obj")
"""The modes after which the person alone is seen; of the others, what they hide counts."""


class Masked(View):
    """A view that paints regions of every frame with the colours of the clip."""

    masked = True

    def apply(self, batch: Batch, draws: Draws) -> Batch:
        if not batch["id"]:
            return {**batch}
        background, object = colours(batch, draws, self.setup).unbind(2)  # [B, 1, 3] each
        regions = self.regions(batch, draws)
        return {**batch, "video": equations.apply(batch["video"], regions, background, object)}

    def regions(self, batch: Batch, draws: Draws) -> equations.Regions:
        """What is painted with either colour: bool [B, T, H, W] each."""
        raise NotImplementedError


class Mode(Masked):
    """A mode of `sbtools.mask.equations`, which the view is named after."""

    def __init__(self, name: str, setup: Setup) -> None:
        super().__init__(name, setup)
        self._take(name)

    def _take(self, mode: str) -> None:
        self.mode = mode
        self.equation = equations.MODES[mode].equation
        self.masks = equations.MODES[mode].needs
        boxes = any(name.endswith("_box") for name in self.masks)
        self.needs = frozenset({"masks", "boxes"} if boxes else {"masks"})

    def shapes(self, batch: Batch) -> dict[str, Tensor]:
        """The masks that the mode wants, by their names in `equations.regions`."""
        return {name: need(batch, name, self.name) for name in self.masks}

    def regions(self, batch: Batch, draws: Draws) -> equations.Regions:
        return equations.regions(self.mode, **self.shapes(batch))

    def shape(self, batch: Batch) -> Tensor:
        shapes = self.shapes(batch)
        if self.mode in KEEPS:
            return shapes["person"]
        background, object = equations.regions(self.mode, **shapes)
        return background | object


def colours(batch: Batch, draws: Draws, setup: Setup) -> Tensor:
    """Colours of background and objects in normalised space: [B, 1, 2, 3], as the video is.

    Those of a drawn fill are not clipped to what a picture can hold, as the paper draws them.
    """
    fill, constants = setup.fill, NORMALISE[setup.normalise]
    if fill.kind == "normal":
        drawn = [normal(draws.seed, id, draws.epoch) for id in batch["id"]]
    else:
        pair = np.zeros((2, 3))
        if fill.given is not None:
            given = np.array([fill.given.background, fill.given.object])
            pair = (given / 255 - constants.mean) / constants.std
        drawn = [pair] * len(batch["id"])
    return torch.from_numpy(np.stack(drawn)[:, None]).to(batch["video"])


def two_colours(batch: Batch, draws: Draws, setup: Setup) -> Tensor:
    """As `colours`, but where both are one, black or white is the second."""
    first, second = colours(batch, draws, setup).unbind(2)
    mean, std = (first.new_tensor(value) for value in NORMALISE[setup.normalise])
    far = torch.where(first.mean(-1, keepdim=True) < 0, (1 - mean) / std, -mean / std)
    return torch.stack(
        [first, torch.where((first == second).all(-1, keepdim=True), far, second)], 2
    )
