"""What an objective is: the loss that names the class of each clip."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn

from sbtools.models.outputs import Outputs


class Objective(nn.Module):
    """Hyper-parameters are the keyword arguments of the class."""

    name: ClassVar[str] = ""

    requires: frozenset[str] = frozenset()
    """Of `VideoModel.provides`."""

    texts: str = "none"
    """Whose class embeddings it reads, of a model that has texts: none, batch (those of the clips'
    classes, `Outputs.clip_texts`) or all (`Outputs.logits`, `Outputs.class_embeddings`)."""

    @abstractmethod
    def forward(self, outputs: Outputs, target: Tensor) -> Tensor:
        """The loss, a scalar, over the clips of all ranks (see `sbtools.distributed`).

        `target`: float [B, K], the share of each class in a clip; rows add up to 1.
        """

    def settings(self) -> dict[str, Any]:
        """The hyper-parameters as `build` takes them again: JSON."""
        return {}
