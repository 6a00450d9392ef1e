"""Training on the foreground of clips before the background of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import pi
from typing import Any

import torch

from sbtools.errors import SbtoolsError, UsageError
from sbtools.methods.base import Batch, Build
from sbtools.methods.foreground import foreground
from sbtools.methods.mixing import Mixing, paste
from sbtools.models.base import Group, VideoModel
from sbtools.rng import Draws

HUES = {"right": 1.0, "official": 2 * pi}


class Fame(Mixing):
    """What moves in a clip is shown before another clip of the batch; the label is kept.

    Ding et al.: "Motion-aware contrastive video representation learning via foreground-background
    merging" (2022). One mask m for all frames of a clip, from how much pixels change and from the
    colours of those that change most and least:

        x' = m x + (1 - m) x_other

    p     how probably a clip is given another background
    beta  the share of the pixels that are taken for foreground
    hue   right: the colours' hue goes around once; official: 2 pi times, as the official code,
          whose hue is in radians already, has it

    Targets stay: the other clip is background. Where a clip does not move at all it stays as it
    is. We leave clips in their order, where StillMix's code puts those that are mixed first.

    Source: Mark12Ding/FAME 0600c0e, moco/loader.py, and lihaoxin05/StillMix, main_network/
    Video-Swin-Transformer/mmaction/datasets/blending_utils.py, FameBlending. Raises UsageError for
    other values, and for a model of single frames, in which nothing moves.
    """

    name = "fame"

    def __init__(self, p: float = 0.5, beta: float = 0.5, hue: str = "right") -> None:
        super().__init__(p)
        if not 0 < beta < 1:
            raise UsageError(f"method fame: beta is a share, above 0 and below 1, not {beta:g}")
        if hue not in HUES:
            raise UsageError(f"method fame: hue is {', '.join(HUES)}, not '{hue}'")
        self.beta, self.hue = beta, hue

    def settings(self) -> dict[str, Any]:
        return {"p": self.p, "beta": self.beta, "hue": self.hue}

    def build_modules(
        self, model: VideoModel, facts: Mapping[str, Any], build: Build
    ) -> list[Group]:
        if self.p and model.frames < 2:
            raise UsageError("method fame sees what moves between frames: --frames 2 or more")
        return []

    def wanted(self, batch: Batch, places: Sequence[int], others: Sequence[int]) -> list[bool]:
        """Which of the clips move."""
        video = batch["video"]
        return [not torch.equal(video[place, 1:], video[place, :-1]) for place in places]

    def mixed(
        self, batch: Batch, rng: Draws, places: Sequence[int], others: Sequence[int]
    ) -> Batch:
        if "normalise" not in batch:
            raise SbtoolsError("method fame: the batch does not say how it is normalised")
        video = batch["video"]
        mean, std = (
            torch.tensor(values, dtype=video.dtype, device=video.device)
            for values in batch["normalise"]
        )
        chosen = video if len(places) == len(video) else video[list(places)]
        fronts = foreground(chosen, mean, std, self.beta, HUES[self.hue])
        found = video.clone()
        for front, place, other in zip(fronts, places, others, strict=True):
            paste(found[place], video[other], ~front)
        return {**batch, "video": found}
