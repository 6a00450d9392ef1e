"""What a video model is to the rest of sbtools."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sbtools.errors import UsageError
from sbtools.models.recipe import Recipe

Group = dict[str, Any]


@dataclass(frozen=True)
class Encoded:
    """What a model makes of B clips before its last layer.

    features: float [B, D], what enters the last linear layer or is compared with class embeddings,
    not normalised. context: what class embeddings are prompted with, [B, ...]; None where nothing.
    """

    features: Tensor
    context: Tensor | None = None

    def full(self) -> Encoded:
        """In float32 what has fewer bits."""
        return Encoded(full(self.features), None if self.context is None else full(self.context))


class VideoModel(nn.Module):
    """A model that tells of clips which class they show.

    B clips, T frames, K classes, D features. Videos are float [B, T, 3, H, W], normalised as
    `recipe.normalise` says. Sub-classes set `frames`, `recipe`, `classes` and `texts`.
    """

    name: ClassVar[str] = ""

    provides: frozenset[str] = frozenset()
    """texts: it has `class_embeddings`. cosine, which implies texts: `logits` are `logit_scale`
    times the cosine of features and class embeddings, plus one number for all. one_frame:
    `encode_frame` costs one frame. verb_noun: `verb_noun(features)` gives log p of verbs and of
    nouns, and `head.targets` their shares in those of classes, see `sbtools.models.verb_noun`."""

    kind: str = "logits"
    """What `logits` gives in tests: logits, or log-probabilities where a model averages."""

    static_gradient: str = "tiled"
    """mean: the gradient of a motionless clip is in each frame that of `encode_frame` divided by T.
    tiled: only the whole clip tells it."""

    defaults: ClassVar[dict[str, Any]] = {}
    """Values of `sbtools.train.settings.Settings` that suit the model; its paper's."""

    takes_runs: ClassVar[bool] = False
    """Whether `weights` may be a `sbtools.models.tensors.Run`, what another training has made."""

    @classmethod
    def settled(cls, options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The options as a run keeps them, and the `defaults` that go with them.

        Called before anything is built. Raises UsageError for options that cannot be.
        """
        return dict(options), dict(cls.defaults)

    @classmethod
    def usual_frames(cls, weights: str) -> int | None:
        """How many frames the model of these weights sees; None where that is a choice.

        UsageError where they are not on this machine.
        """
        return None

    @classmethod
    def folder_digest(cls, weights: str) -> str | None:
        """What tells the weights in a folder of transformers apart; None of any others."""
        return None

    @classmethod
    def require_weights(cls, weights: str) -> None:
        """UsageError where such weights are not on this machine; before anything is built."""

    frames: int
    recipe: Recipe
    classes: list[str]
    texts: list[str]

    @cached_property
    def width(self) -> int:
        """D, of `Encoded.features`: worked out from a clip, unless the model sets it."""
        modes = {module: module.training for module in self.modules()}
        weight = next(self.parameters())
        size = self.recipe.size
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            self.eval()
            found = self.encode(weight.new_zeros(1, self.frames, 3, size, size)).features.shape[1]
        for module, mode in modes.items():
            module.training = mode
        return found

    @abstractmethod
    def encode(self, video: Tensor) -> Encoded:
        """Of float [B, T, 3, H, W]."""

    def encode_frame(self, frame: Tensor) -> Encoded:
        """Of float [B, 3, H, W]: `encode` of the clip that repeats the frame."""
        return self.encode(repeated(frame, self.frames))

    @abstractmethod
    def set_classes(self, classes: Sequence[str], texts: Sequence[str] | None = None) -> None:
        """Take these classes, in this order; `texts` are read for them where they differ."""

    def class_embeddings(self, labels: Tensor, picks: Tensor | None = None) -> Tensor:
        """Float [N, D] of classes int64 [N], with gradient, not normalised; where `texts`.

        `picks`, float [N] in [0, 1), choose among the model's templates; None takes the first.
        What occurs twice is encoded once.
        """
        raise UsageError(f"model {self.name} has no texts")

    def test_classes(self) -> Any:
        """What `logits` takes for all classes in tests, made once for a list of classes."""
        return None

    @abstractmethod
    def logits(self, encoded: Encoded, classes: Any = None) -> Tensor:
        """Float [B, K]. `classes`: in training all class embeddings [K, D], in tests
        `test_classes()`; None where the model has no texts."""

    def scores(self, video: Tensor, classes: Any = None) -> Tensor:
        """[B, K] in tests; `classes` are `test_classes()`, made here when they are not given."""
        classes = self.test_classes() if classes is None else classes
        return self.logits(self.encode(video).full(), classes)

    @property
    def logit_scale(self) -> Tensor:
        """The factor of cosine similarities, already exponentiated, with gradient; where cosine."""
        raise UsageError(f"model {self.name} does not compare clips with texts")

    def groups(self) -> list[Group]:
        """All trainable parameters: {"name", "params"}, and lr_scale or weight_decay if they have
        their own; "head" is the last linear layer's."""
        return [{"name": "model", "params": [p for p in self.parameters() if p.requires_grad]}]

    def freeze(self) -> None:
        """Leave all but the head as it is: no gradients to weights there, no moving statistics;
        pixels still have theirs. UsageError where the model has no head."""
        raise UsageError(
            f"--freeze trains the head alone, and model {self.name} has none: leave it out"
        )

    def checkpoint_activations(self, on: bool = True) -> None:
        """Trade time for memory; nothing by default."""

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


def scaled_cosines(scale: Tensor, video: Tensor, classes: Tensor) -> Tensor:
    """scale x cosine of [B, D] and [K, D]: [B, K], in full precision also under autocast."""
    with torch.autocast(video.device.type, enabled=False):
        return full(scale) * unit(full(video)) @ unit(full(classes)).T
