"""Training on clips to which one of their own frames is added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from sbtools.errors import UsageError
from sbtools.methods.base import Batch, Build
from sbtools.methods.mixing import Augmenting, require_probability
from sbtools.models.base import Group, VideoModel
from sbtools.rng import Draws


class BackgroundErasing(Augmenting):
    """A frame of the clip itself is added to all of its frames, and the clip keeps its label.

    Wang et al.: "Removing the background by adding the background: Towards background robust
    self-supervised video representation learning" (2021); with labels, as StillMix's authors
    compared it:

        x'_t = (1 - g) x_t + g x_s        g ~ U(0, gamma) once a batch, s a random frame of each

    What moves is disturbed by the frame, what stands still is left as it is.

    p      how probably a frame is added to a clip
    gamma  the largest share of the frame; that of the paper is .3

    We leave clips in their order, where StillMix's code puts those that are mixed first.

    Source: lihaoxin05/StillMix, main_network/Video-Swin-Transformer/mmaction/datasets/
    blending_utils.py, BEIntraBlending. Raises UsageError for other values, and for a model of
    single frames, to which it does nothing.
    """

    name = "be"

    def __init__(self, p: float = 1.0, gamma: float = 0.3) -> None:
        super().__init__(p)
        require_probability("be", gamma=gamma)
        self.gamma = gamma

    def settings(self) -> dict[str, Any]:
        return {"p": self.p, "gamma": self.gamma}

    def build_modules(
        self, model: VideoModel, facts: Mapping[str, Any], build: Build
    ) -> list[Group]:
        if self.p and model.frames < 2:
            raise UsageError("method be adds another frame of the clip: --frames 2 or more")
        return []

    def augment(self, batch: Batch, rng: Draws) -> Batch:
        """The batch with a frame added to its clips; those that are left alone stay as they are."""
        if not self.p or not self.gamma or not batch["id"]:
            return batch
        places = self.drawn(batch["id"], rng)
        self.count(len(places), len(batch["id"]))
        share, video = self.gamma * float(rng.batch("be").random()), batch["video"]
        found = video.clone() if len(places) < len(video) else torch.empty_like(video)
        for place in places:
            still = int(rng.clip(batch["id"][place], "be frame").integers(video.shape[1]))
            torch.lerp(video[place], video[place, still][None], share, out=found[place])
        return {**batch, "video": found}
