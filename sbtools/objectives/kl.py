"""Kullback-Leibler divergence between the clips of a batch and their texts."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn.functional import kl_div

from sbtools.errors import UsageError
from sbtools.models.outputs import Outputs
from sbtools.objectives.base import Objective
from sbtools.objectives.pairs import weighted, within


class KL(Objective):
    """ActionCLIP's loss (Wang et al. 2021, eq. 4): both directions of KL(target || prediction).

    Follows utils/KLLoss.py and train.py of ActionCLIP: the target of row i is
    softmax_j(factor * g_ij), with g_ij 1 where clips i and j are of one class, else 0; the
    prediction is softmax_j(s v_i.t_j); rows are averaged, and so are the two directions. Where a
    method mixes clips, each class of a clip brings a text, which counts by its share w_j: g_ij is
    the share of j's class in clip i, log w_j is added to both logits of a row, and texts are
    averaged by w.

    factor   how peaked the targets are
    """

    name = "kl"
    requires = frozenset({"cosine"})
    texts = "batch"

    def __init__(self, factor: float = 10.0) -> None:
        super().__init__()
        self.factor = float(factor)
        if not self.factor > 0:
            raise UsageError(f"kl: factor is above 0, not {factor}")

    def settings(self) -> dict[str, Any]:
        return {"factor": self.factor}

    def forward(self, outputs: Outputs, target: Tensor) -> Tensor:
        found = within(outputs, target)
        own = found.mass.log()
        rows = _divergence(found.logits + own, self.factor * found.named + own).mean()
        columns = _divergence(found.logits.T, self.factor * found.named.T)
        return (rows + weighted(columns, found.mass)) / 2


def _divergence(logits: Tensor, target: Tensor) -> Tensor:
    """KL(softmax(target) || softmax(logits)) of each row: [N, M] and [N, M] to [N]."""
    return kl_div(logits.log_softmax(dim=1), target.softmax(dim=1), reduction="none").sum(dim=1)
