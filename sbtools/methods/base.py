"""What a debiasing method is to the training loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from sbtools.models.base import Group, VideoModel
from sbtools.objectives.base import Objective
from sbtools.rng import Draws

Batch = dict[str, Any]
"""video float [B, T, 3, H, W], normalised; label int64 [B]; id list[str]; draws Draws; and where
a method needs them person, object, person_box, object_box bool [B, T, H, W]; with "other" also
other_person ... of another clip of the records; scene float [B, S]."""


class Method(nn.Module):
    """A way to train. Hyper-parameters are the keyword arguments of the class.

    A method may own sub-modules; they are saved, resumed and optimised.
    """

    name: ClassVar[str] = ""
    needs: frozenset[str] = frozenset()
    """What the loader brings: masks, boxes, other, scene."""

    objective: Objective
    """Set by `sbtools.methods.build`."""

    def __init__(self) -> None:
        super().__init__()

    def settings(self) -> Mapping[str, Any]:
        """The hyper-parameters as `build` takes them again: JSON."""
        return {}

    def prepare(self, model: VideoModel, records: Sequence[Mapping[str, Any]]) -> list[Group]:
        """Get ready, once, before the first step; returns parameter groups of its own modules."""
        return [{"params": [p for p in self.parameters() if p.requires_grad], "lr_scale": 1.0}]

    def augment(self, batch: Batch, rng: Draws) -> Batch:
        """Change a batch on its device, before the model sees it."""
        return batch

    def phases(self) -> tuple[str, ...]:
        """One optimiser step each."""
        return ("main",)

    def losses(self, model: VideoModel, batch: Batch, phase: str = "main") -> dict[str, Tensor]:
        """Scalars whose sum is minimised; each is logged under its name.

        Over several ranks their average is what counts: see `sbtools.distributed.mean`.
        """
        return {self.objective.name: self.objective(model, batch)}

    def tally(self) -> dict[str, int]:
        """What was counted on this rank since the last call, for the epoch's line.

        The names are the same on every rank; the loop adds the numbers up.
        """
        return {}

    def predict(self, model: VideoModel, batch: Batch) -> Tensor:
        """Scores [B, K] in tests."""
        return model.scores(batch["video"], batch.get("text"))
