"""InfoNCE between the clips of a batch and their texts."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from sbtools.models.outputs import Outputs
from sbtools.objectives.base import Objective
from sbtools.objectives.pairs import cross_entropy, weighted, within


class InfoNCE(Objective):
    """Contrast of clips and texts of one batch, the loss that masked training was published with.

    L = mean_i -sum_j p_ij log softmax_j(s v_i.t_j), v and t of length 1, s the learned scale;
    p_ij is 1 over the number of clips of i's class where j is one of them, else 0, so all clips
    of one class are positives and no clip is another one's negative by chance (with every class
    once: van den Oord et al. 2018, eq. 4). Where a method mixes clips, each class of a clip brings
    a text, which counts by its share w_j: softmax_j(s v_i.t_j + log w_j), p_ij is the share of j's
    class in clip i, split over the texts of that class by their w, and texts are averaged by w.

    symmetric   the mean of L and the same from texts to clips, as CLIP; else L alone. Which of
                the two was used is not published.
    """

    name = "infonce"
    requires = frozenset({"cosine"})
    texts = "batch"

    def __init__(self, symmetric: bool = True) -> None:
        super().__init__()
        self.symmetric = bool(symmetric)

    def settings(self) -> dict[str, Any]:
        return {"symmetric": self.symmetric}

    def forward(self, outputs: Outputs, target: Tensor) -> Tensor:
        found = within(outputs, target)
        shares = found.named * (found.mass / found.alike)
        loss = cross_entropy(found.logits + found.mass.log(), shares).mean()
        if not self.symmetric:
            return loss
        columns = cross_entropy(found.logits.T, _shares(found.named.T))
        return (loss + weighted(columns, found.mass)) / 2


def _shares(named: Tensor) -> Tensor:
    """Rows divided by their sum."""
    return named / named.sum(dim=1, keepdim=True)
