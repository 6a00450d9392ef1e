"""InfoNCE between the clips of a batch and their texts."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from sbtools.models.base import VideoModel
from sbtools.objectives.base import Objective
from sbtools.objectives.pairs import cross_entropy, within


class InfoNCE(Objective):
    """Contrast of clips and texts of one batch, the loss that masked training was published with.

    L = mean_i -sum_j p_ij log softmax_j(s v_i.t_j), v and t of length 1, s the learned scale;
    p_ij is 1 over the number of clips of i's class where j is one of them, else 0, so all clips
    of one class are positives and no clip is another one's negative by chance (with every class
    once: van den Oord et al. 2018, eq. 4). Where a method mixes clips, the classes' shares of
    `batch["target"]` are split over their texts.

    symmetric   the mean of L and the same from texts to clips, as CLIP; else L alone. Which of
                the two was used is not published.
    """

    name = "infonce"

    def __init__(self, symmetric: bool = True) -> None:
        super().__init__()
        self.symmetric = bool(symmetric)

    def settings(self) -> dict[str, Any]:
        return {"symmetric": self.symmetric}

    def forward(
        self, model: VideoModel, batch: dict[str, Any], features: Tensor | None = None
    ) -> Tensor:
        logits, named, texts = within(model, batch, features)
        loss = cross_entropy(logits, _shares(named / texts)).mean()
        if not self.symmetric:
            return loss
        return (loss + cross_entropy(logits.T, _shares(named.T)).mean()) / 2


def _shares(named: Tensor) -> Tensor:
    """Rows divided by their sum; rows of zeros stay."""
    return named / named.sum(dim=1, keepdim=True).clamp_min(1e-12)
