"""What is trained, and the losses of a batch in parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from sbtools.errors import SbtoolsError
from sbtools.methods.base import Batch, Method, Phase
from sbtools.models.base import VideoModel, full
from sbtools.models.outputs import Outputs
from sbtools.objectives.base import Objective

NOTHING = "nothing"
"""The name of a phase's terms where there are none: such a phase changes nothing."""


class Step(nn.Module):
    def __init__(
        self,
        model: VideoModel,
        method: Method,
        objective: Objective,
        precision: str = "float32",
    ) -> None:
        super().__init__()
        self.model, self.method, self.objective = model, method, objective
        self.precision = precision

    def forward(self, batch: Batch, phase: Phase) -> dict[str, Tensor]:
        """The objective and the method's terms, scalars by name."""
        asked = (self.objective.texts if phase.objective else "none", phase.texts)
        texts = frozenset(asked) - {"none"} if "texts" in self.model.provides else frozenset()
        outputs = Outputs(self.model, batch, self.method.represent, texts, self.precision)
        terms: dict[str, Tensor] = {}
        if phase.objective:
            terms[self.objective.name] = self.objective(outputs, batch["target"])
        for name, term in self.method.losses(outputs, phase).items():
            if name in terms:
                raise SbtoolsError(f"method {self.method.name} has a term called as the objective")
            terms[name] = term
        return terms or {NOTHING: self._anchor()}

    def _anchor(self) -> Tensor:
        """0, of a weight: the ranks wait for a gradient in a phase without terms, too."""
        return next(p for p in self.parameters() if p.requires_grad).sum() * 0


def split(
    batch: Batch, sizes: Sequence[int], parts: int, rank: int = 0
) -> list[tuple[Batch, float]]:
    """This rank's clips in `parts` pieces, each with its weight in the mean over all clips.

    Pieces are as even as can be; no rank has an empty one. Tensors and lists of a batch have an
    entry for each clip, other values belong to the whole. The weight is the share of the pieces of
    this number, on all ranks together, in all clips.
    """
    parts = max(1, min(parts, *sizes))
    if parts == 1:
        return [(batch, 1.0)]
    edges = [[size * part // parts for part in range(parts + 1)] for size in sizes]
    found = []
    for part in range(parts):
        first, last = edges[rank][part : part + 2]
        together = sum(edge[part + 1] - edge[part] for edge in edges)
        found.append((piece(batch, first, last), together / sum(sizes)))
    return found


def piece(batch: Batch, first: int, last: int) -> Batch:
    return {k: v[first:last] if isinstance(v, (Tensor, list)) else v for k, v in batch.items()}


def total(losses: Mapping[str, Tensor], phase: str) -> Tensor:
    for name, loss in losses.items():
        if loss.dim():
            raise SbtoolsError(f"loss {name} of phase {phase} is {list(loss.shape)}, not a scalar")
    return torch.stack([full(loss) for loss in losses.values()]).sum()
