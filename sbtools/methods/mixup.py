"""Training on sums of two clips."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sbtools.methods.base import Batch
from sbtools.methods.mixing import Sharing, follow
from sbtools.rng import Draws


class Mixup(Sharing):
    """A clip is mixed with another one of the batch, and so is its label.

    Zhang, Cisse, Dauphin, Lopez-Paz: "mixup: Beyond empirical risk minimization" (2018):

        x' = lam x + (1 - lam) x_other        y' = lam y + (1 - lam) y_other

    with lam ~ Beta(alpha, alpha) once a batch, and the others a permutation of the batch.

    p      how probably a clip is mixed
    alpha  of Beta(alpha, alpha); the smaller, the nearer to the one or the other clip

    We leave clips in their order, where StillMix's code puts those that are mixed first.

    Source: lihaoxin05/StillMix, main_network/Video-Swin-Transformer/mmaction/datasets/
    blending_utils.py, MixupBlending_fixbs. Raises UsageError for other values.
    """

    name = "mixup"

    def __init__(self, p: float = 1.0, alpha: float = 0.2) -> None:
        super().__init__(p, alpha)

    def mixed(
        self, batch: Batch, rng: Draws, places: Sequence[int], others: Sequence[int]
    ) -> Batch:
        lam = float(rng.batch("mixup").beta(self.alpha, self.alpha))
        video = batch["video"]
        found = video.clone() if len(places) < len(video) else torch.empty_like(video)
        for place, other in zip(places, others, strict=True):
            torch.lerp(video[place], video[other], 1 - lam, out=found[place])
        return {**batch, "video": found, "target": follow(batch["target"], places, others, lam)}
