"""What a model makes of a batch: each part computed once, when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from sbtools.device import autocast
from sbtools.models.base import Encoded, VideoModel, full, repeated
from sbtools.models.kernels import twice_differentiable
from sbtools.models.texts import ClipTexts, Texts

Batch = dict[str, Any]
"""video float [B, T, 3, H, W], normalised; label int64 [B]; target float [B, K], the share of each
class in a clip; id list[str]; draws Draws; normalise, the means and deviations of the colours;
progress, the share of the run's steps that are done; and what a method needs: see
sbtools-extend(7), such as person, object bool [B, T, H, W]."""

Represent = Callable[[Encoded], Encoded]


class Outputs:
    """The outputs of a model for a batch, in float32 (float64 stays), computed outside autocast.

    represent   what the last layer sees, of what the model encodes; by default that itself
    texts       which class embeddings may be asked for: "batch", the texts of the clips' classes,
                each in the template that its clip drew; "all", every class in one template; both
                are encoded together, once, and what occurs twice once
    precision   of the passes through the model: auto, float32 or bfloat16
    """

    def __init__(
        self,
        model: VideoModel,
        batch: Batch,
        represent: Represent | None = None,
        texts: frozenset[str] = frozenset({"batch", "all"}),
        precision: str = "float32",
        shared: Texts | None = None,
    ) -> None:
        self.model, self.batch, self.precision = model, batch, precision
        self._represent = represent or (lambda encoded: encoded)
        # Not a method of this object: a circle would keep all that was computed for the collector.
        precise = partial(autocast, batch["video"].device, precision)
        self._texts = shared or Texts(model, batch, texts, precise)

    @property
    def draws(self) -> Any:
        """The draws of this step, `sbtools.rng.Draws`."""
        return self.batch["draws"]

    @property
    def progress(self) -> float:
        """Steps done by steps of the run, 0 to 1."""
        return float(self.batch.get("progress", 0.0))

    @cached_property
    def encoded(self) -> Encoded:
        """As the model encodes the clips, before `represent`."""
        with self._precise():
            encoded = self.model.encode(self.batch["video"])
        return encoded.full()

    @cached_property
    def represented(self) -> Encoded:
        """What the last layer sees."""
        return self._represent(self.encoded)

    @property
    def features(self) -> Tensor:
        """Float [B, D], what enters the last layer."""
        return self.represented.features

    @cached_property
    def logits(self) -> Tensor:
        """Float [B, K]; of a model with texts by all class embeddings."""
        return self._logits(self.represented)

    @property
    def clip_texts(self) -> ClipTexts:
        """The texts of the clips' own classes."""
        return self._texts.of_clips

    def class_embeddings(self, labels: Tensor | None = None) -> Tensor:
        """Float [N, D] of classes int64 [N], or of all: in the template that is drawn for each."""
        every = self._texts.of_classes
        return every if labels is None else every[labels]

    @property
    def scale(self) -> Tensor:
        """The factor of cosine similarities."""
        return full(self.model.logit_scale)

    def static(
        self, frame: Tensor, leaf: bool = False, precision: str | None = None
    ) -> StaticOutputs:
        """The motionless clips of one frame each: int64 [B], places among the T frames.

        leaf        the pixels carry gradient and can be differentiated twice
        precision   of this pass; by default that of the others, and float32 with `leaf`
        """
        if leaf and "texts" in self.model.provides:
            self._texts.encode()  # by the kernel and in the precision of the other passes
        precision = precision or ("float32" if leaf else self.precision)
        video: Tensor = self.batch["video"]
        pixels = video[torch.arange(len(video), device=video.device), frame]
        return StaticOutputs(self, pixels, leaf, precision)

    def of(self, video: Tensor, model: VideoModel | None = None) -> Outputs:
        """Of other pixels of the same clips; or of a second model, which has its own texts."""
        batch = {**self.batch, "video": video}
        if model is None or model is self.model:
            return Outputs(self.model, batch, self._represent, frozenset(), self.precision,
                           self._texts)  # fmt: skip
        wanted = self._texts.wanted if "texts" in model.provides else frozenset()
        return Outputs(model, batch, None, wanted, self.precision)

    def _logits(self, encoded: Encoded) -> Tensor:
        texts = self.class_embeddings() if "texts" in self.model.provides else None
        return full(self.model.logits(encoded, texts))

    def _precise(self, precision: str | None = None) -> AbstractContextManager[Any]:
        return autocast(self.batch["video"].device, precision or self.precision)


class StaticOutputs:
    """What a model makes of motionless clips.

    pixels: float [B, t, 3, H, W], where t is 1 or T. repeats: T or 1; the squared gradient of the
    tiled clip is that of `pixels` divided by `repeats`.
    """

    def __init__(self, outputs: Outputs, frame: Tensor, leaf: bool, precision: str) -> None:
        model = outputs.model
        once = "one_frame" in model.provides and (model.static_gradient == "mean" or not leaf)
        frames = outputs.batch["video"].shape[1]
        self.repeats = frames if once else 1
        pixels = frame[:, None] if once else repeated(frame, frames)
        self.pixels = pixels.detach().clone().requires_grad_() if leaf else pixels
        self._outputs, self._once, self._leaf, self._precision = outputs, once, leaf, precision

    @cached_property
    def _represented(self) -> Encoded:
        outputs = self._outputs
        with self._kernel():
            with outputs._precise(self._precision):
                encoded = (
                    outputs.model.encode_frame(self.pixels[:, 0])
                    if self._once
                    else outputs.model.encode(self.pixels)
                )
            return outputs._represent(encoded.full())

    @property
    def features(self) -> Tensor:
        """Float [B, D]."""
        return self._represented.features

    @cached_property
    def logits(self) -> Tensor:
        """Float [B, K]."""
        represented = self._represented
        with self._kernel():
            return self._outputs._logits(represented)

    def _kernel(self) -> AbstractContextManager[Any]:
        return twice_differentiable() if self._leaf else nullcontext()


def predicted(
    model: VideoModel, video: Tensor, classes: Any, represent: Represent | None = None
) -> Tensor:
    """Scores [B, K] in tests, under the caller's autocast; `classes` are `test_classes()`."""
    encoded = represented(model, video, represent)
    with torch.autocast(video.device.type, enabled=False):
        return full(model.logits(encoded, classes))


def represented(model: VideoModel, video: Tensor, represent: Represent | None = None) -> Encoded:
    """What the last layer sees in tests, under the caller's autocast."""
    encoded = model.encode(video).full()
    with torch.autocast(video.device.type, enabled=False):
        return represent(encoded) if represent else encoded
