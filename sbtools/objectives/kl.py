"""Kullback-Leibler divergence between the clips of a batch and their texts."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn.functional import kl_div

from sbtools.errors import UsageError
from sbtools.models.base import VideoModel
from sbtools.objectives.base import Objective
from sbtools.objectives.pairs import within


class KL(Objective):
    """ActionCLIP's loss (Wang et al. 2021, eq. 4): both directions of KL(target || prediction).

    Follows utils/KLLoss.py and train.py of ActionCLIP: the target of row i is
    softmax_j(factor * g_ij), with g_ij 1 where clips i and j are of one class, else 0; the
    prediction is softmax_j(s v_i.t_j); rows are averaged, and so are the two directions. Where a
    method mixes clips, g_ij is the share of j's class in `batch["target"]` of clip i.

    factor   how peaked the targets are
    """

    name = "kl"

    def __init__(self, factor: float = 10.0) -> None:
        super().__init__()
        self.factor = float(factor)
        if not self.factor > 0:
            raise UsageError(f"kl: factor is above 0, not {factor}")

    def settings(self) -> dict[str, Any]:
        return {"factor": self.factor}

    def forward(
        self, model: VideoModel, batch: dict[str, Any], features: Tensor | None = None
    ) -> Tensor:
        logits, named, _ = within(model, batch, features)
        return (self._divergence(logits, named) + self._divergence(logits.T, named.T)) / 2

    def _divergence(self, logits: Tensor, named: Tensor) -> Tensor:
        target = (self.factor * named).softmax(dim=1)
        return kl_div(logits.log_softmax(dim=1), target, reduction="batchmean")
