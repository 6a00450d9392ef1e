"""Views that tell what a masked view owes to its mask: where it is, how it moves, what is left."""

from __future__ import annotations

import torch
from torch import Tensor

from sbtools.evaluate.masked import Masked, Mode, two_colours
from sbtools.evaluate.views import PLATE, PLATED, Setup, need
from sbtools.mask import equations
from sbtools.mask.controls import random_shapes
from sbtools.methods.base import Batch
from sbtools.rng import Draws


class Random(Mode):
    """The view `p_view` of blobs in place of the shapes, of their very areas in every frame."""

    def __init__(self, name: str, setup: Setup) -> None:
        super().__init__(setup.p_view, setup)
        self.name, self.equation = name, None

    def regions(self, batch: Batch, draws: Draws) -> equations.Regions:
        drawn = [draws.clip(id, "random view") for id in batch["id"]]
        return equations.regions(self.mode, **random_shapes(self.shapes(batch), drawn))


class Other(Random):
    """The view `p_view` of the shapes of another clip: batch["other_person"] and so on."""

    def __init__(self, name: str, setup: Setup) -> None:
        super().__init__(name, setup)
        self.needs |= {"other"}

    def shapes(self, batch: Batch) -> dict[str, Tensor]:
        return {name: need(batch, f"other_{name}", self.name) for name in self.masks}

    def regions(self, batch: Batch, draws: Draws) -> equations.Regions:
        return equations.regions(self.mode, **self.shapes(batch))


class BoxOnly(Mode):
    """The regions that person-box paints, in its colour, on a flat ground of the other colour.

    What B-top1 may come to without any scene: place, size and motion of the boxes. Where both
    colours are one, the ground is black, or white where the colour is darker than the mean.
    """

    def __init__(self, name: str, setup: Setup) -> None:
        super().__init__("person-box", setup)
        self.name, self.equation = name, None

    def apply(self, batch: Batch, draws: Draws) -> Batch:
        if not batch["id"]:
            return {**batch}
        boxes = self.regions(batch, draws).background
        box, ground = two_colours(batch, draws, self.setup).unbind(2)  # [B, 1, 3] each
        video = equations.apply(batch["video"], equations.Regions(boxes, ~boxes), box, ground)
        return {**batch, "video": video}


class Scene(Masked):
    """The scene: every place where a person or its box is in any frame shown is painted in all.

    So what is hidden does not move, as it does in person-box. Where the batch has `plate`, float
    [B, T, 3, H, W] as `video` is, and `plated`, bool [B], such clips are shown as their plates.
    """

    needs = frozenset({"masks", "boxes"})

    def apply(self, batch: Batch, draws: Draws) -> Batch:
        shown = super().apply(batch, draws)
        if PLATE in batch:
            plated = batch[PLATED][:, None, None, None, None]
            shown["video"] = torch.where(plated, batch[PLATE], shown["video"])
        return shown

    def regions(self, batch: Batch, draws: Draws) -> equations.Regions:
        shapes = {name: need(batch, name, self.name) for name in ("person", "person_box")}
        once = equations.regions("person-box", **shapes).background.any(1, keepdim=True)
        union = once.expand_as(shapes["person"])
        return equations.Regions(union, torch.zeros_like(union))

    def shape(self, batch: Batch) -> Tensor:
        shape = self.regions(batch, Draws(0)).background
        return shape | batch[PLATED][:, None, None, None] if PLATE in batch else shape


class SceneHole(BoxOnly):
    """The regions that the view scene paints, in its colour, on a flat ground of the other colour.

    What the view scene may come to without any scene: where people are and how far they move. Of a
    clip that is shown as its plate nothing is painted.
    """

    def regions(self, batch: Batch, draws: Draws) -> equations.Regions:
        hidden = Scene(self.name, self.setup).regions(batch, draws).background
        if PLATE in batch:
            hidden = hidden & ~batch[PLATED][:, None, None, None]
        return equations.Regions(hidden, torch.zeros_like(hidden))

    def shape(self, batch: Batch) -> Tensor:
        return self.regions(batch, Draws(0)).background
