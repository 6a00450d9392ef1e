"""What a video model is to the rest of sbtools."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sbtools.models.recipe import Recipe

Group = dict[str, Any]


class VideoModel(nn.Module):
    """A model that scores clips against classes.

    B clips, T frames, K classes, D features. Videos are float [B, T, 3, H, W], normalised as
    `recipe.normalise` says. Sub-classes set `frames` and `recipe`, and call `set_classes`.
    """

    name: ClassVar[str] = ""
    kind: ClassVar[str] = "logits"
    """What `scores` gives: logits, or log-probabilities where a model averages."""

    defaults: ClassVar[dict[str, Any]] = {}
    """Values of `sbtools.train.settings.Settings` that suit the model; its paper's."""

    frames: int
    recipe: Recipe
    classes: list[str]
    texts: list[str]

    @abstractmethod
    def encode_video(self, video: Tensor) -> Tensor:
        """Float [B, T, 3, H, W] to features [B, D], before L2 normalisation."""

    @abstractmethod
    def encode_frame(self, frame: Tensor) -> Tensor:
        """Float [B, 3, H, W] to [B, D]: `encode_video` of the clip that repeats the frame."""

    @abstractmethod
    def encode_text(self, tokens: Tensor) -> Tensor:
        """int64 [K, L] to [K, D], before L2 normalisation; L is the longest prompt's length."""

    @abstractmethod
    def set_classes(self, classes: Sequence[str], texts: Sequence[str] | None = None) -> None:
        """Take these classes, in this order; `texts` are read for them where they differ."""

    @abstractmethod
    def label_features(self, labels: Tensor, picks: Tensor | None = None) -> Tensor:
        """Text features [N, D] of classes int64 [N], with gradient, before L2 normalisation.

        `picks`, float [N] in [0, 1), choose among the model's templates; None takes the first.
        What occurs twice is encoded once.
        """

    @abstractmethod
    def text_features(self) -> Tensor:
        """What `scores` wants as `text`: features of all classes, without gradient in tests."""

    @abstractmethod
    def scores(self, video: Tensor, text: Tensor | None = None) -> Tensor:
        """Scores [B, K] of a video; `text` is `text_features()`, computed here when not given."""

    @property
    @abstractmethod
    def logit_scale(self) -> Tensor:
        """The factor of cosine similarities, already exponentiated: a scalar with gradient."""

    def parameter_groups(self) -> list[Group]:
        """All trainable parameters: [{"params": [...], "lr_scale": 1.0}, ...]."""
        return [{"params": [p for p in self.parameters() if p.requires_grad], "lr_scale": 1.0}]

    def checkpoint_activations(self, on: bool = True) -> None:
        """Trade time for memory in the towers; nothing by default."""

    @abstractmethod
    def spec(self) -> dict[str, Any]:
        """What `sbtools.models.rebuild` makes the same model of, but for its weights: JSON."""


def repeated(frame: Tensor, frames: int) -> Tensor:
    """The motionless clip: [B, 3, H, W] to [B, T, 3, H, W], without copies."""
    return frame[:, None].expand(-1, frames, -1, -1, -1)


def unit(features: Tensor) -> Tensor:
    """Features [..., D] divided by their L2 norm."""
    return torch.nn.functional.normalize(features, dim=-1)


def full(values: Tensor) -> Tensor:
    """In float32 what has fewer bits; double stays."""
    return values if values.dtype == torch.float64 else values.float()
