"""Views that change how a clip looks and leave where things are and how they move: photometric
styles, the same in all frames. They stand in for stylised videos in pairs of Kowal et al. 2022."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sbtools.evaluate.timing import Shuffled
from sbtools.evaluate.views import View
from sbtools.mask.fill import NORMALISE
from sbtools.methods.base import Batch
from sbtools.rng import Draws

PARTS = 4
"""Straight parts of a curve, each over as much of 0 to 1."""

LEAST = 0.25
"""What a part's rise is drawn from, before all are brought to a sum of 1: [LEAST, 1 + LEAST)."""


@dataclass(frozen=True)
class Style:
    """How the colours of a clip are changed.

    mix     float64 [3, 3]: each new channel is half an old one, another one for each, and half a
            mean of all three with drawn weights; rows sum to 1
    curves  float64 [3, PARTS + 1]: what the values 0, 1 / PARTS, ... 1 of a new channel become;
            rising or falling from end to end of 0 to 1, so that no edge is lost
    """

    mix: NDArray[np.float64]
    curves: NDArray[np.float64]


def draw_style(draw: np.random.Generator) -> Style:
    """A style; every second curve falls, and so turns light into dark."""
    weights = draw.random((3, 3))
    rises = LEAST + draw.random((3, PARTS))
    falls, order = draw.random(3) < 0.5, draw.permutation(3)
    mix = (np.eye(3)[order] + weights / weights.sum(1, keepdims=True)) / 2
    ends = np.cumsum(rises / rises.sum(1, keepdims=True), 1)
    curves = np.hstack([np.zeros((3, 1)), ends])
    return Style(mix, np.where(falls[:, None], 1 - curves, curves))


def restyle(video: Tensor, style: Style) -> Tensor:
    """A clip [T, 3, H, W] of values 0 to 1 in a style: values 0 to 1."""
    mix, curves = (torch.from_numpy(each).to(video) for each in (style.mix, style.curves))
    mixed = torch.einsum("oc,tchw->tohw", mix, video.clamp(0, 1))
    place = mixed * PARTS
    part = place.floor().clamp(max=PARTS - 1)
    channels = []
    for channel, curve in enumerate(curves):
        at = part[:, channel].long()
        rise = curve.diff()[at]
        channels.append(curve[at] + (place[:, channel] - part[:, channel]) * rise)
    return torch.stack(channels, 1)


class Restyled(View):
    """The clip in colours, contrast and light of its own, drawn by (seed, id), in all frames alike.

    Another seed is another style. Values beyond what a picture can hold are clipped.
    """

    def apply(self, batch: Batch, draws: Draws) -> Batch:
        video = batch["video"]
        mean, std = (
            video.new_tensor(values).view(3, 1, 1) for values in NORMALISE[self.setup.normalise]
        )
        made = torch.empty_like(video)
        for out, clip, id in zip(made, video, batch["id"], strict=True):
            style = draw_style(draws.clip(id, "restyled"))
            out[:] = (restyle(clip * std + mean, style) - mean) / std
        return {**batch, "video": made}


class RestyledShuffled(Restyled):
    """The clip as restyled shows it, its frames in the order that shuffled draws."""

    def apply(self, batch: Batch, draws: Draws) -> Batch:
        shuffled = Shuffled("shuffled", self.setup).apply(batch, draws)
        return super().apply(shuffled, draws)
