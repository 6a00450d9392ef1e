"""What an objective is: the loss that ties videos to the texts of their classes."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn

from sbtools.models.base import VideoModel


class Objective(nn.Module):
    """Hyper-parameters are the keyword arguments of the class."""

    name: ClassVar[str] = ""

    @abstractmethod
    def forward(
        self, model: VideoModel, batch: dict[str, Any], features: Tensor | None = None
    ) -> Tensor:
        """The loss, a scalar, over the clips of all ranks (see `sbtools.distributed`).

        `features` are `model.encode_video(batch["video"])` [B, D] where they are at hand;
        `batch["target"]`, float [B, K], replaces the labels where a method mixes clips.
        """

    def settings(self) -> dict[str, Any]:
        """The hyper-parameters as `build` takes them again: JSON."""
        return {}
