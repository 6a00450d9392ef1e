"""A model that is asked for features instead of scores."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sbtools.errors import UsageError
from sbtools.evaluate.evaluated_model import EvaluatedModel
from sbtools.evaluate.predictor import Predictor, mean_of
from sbtools.evaluate.views import View
from sbtools.models.base import Encoded
from sbtools.models.outputs import Batch, Outputs


class FeatureMaker(Predictor):
    """Features of clips in one view: [D] of each, or of each of its T frames, [T, D].

    stream: of those of the method, "" what the last layer sees. clips: how many items, one after
    another, are views of one record; their features are averaged. On the CPU each item is computed
    by itself, whatever the batch: beside others its last bits could be other ones.
    """

    stage, gives = "features", "features"

    def __init__(
        self,
        evaluated: EvaluatedModel,
        view: View,
        device: torch.device,
        precision: str = "auto",
        batch: int = 32,
        seed: int = 0,
        clips: int = 1,
        stream: str = "",
        per_frame: bool = False,
    ) -> None:
        size = 1 if device.type == "cpu" else batch
        super().__init__(evaluated, [view], device, precision, size, seed, clips)
        self.stream, self.per_frame = stream, per_frame

    def require(self) -> None:
        """UsageError where the model has no features, no such stream, or none of single frames.

        The model is shown one black clip.
        """
        model, name = self.evaluated.model, self.evaluated.about["name"]
        if self.per_frame and "one_frame" not in model.provides:
            raise UsageError(f"{name} sees whole clips, no single frames: leave --per-frame out")
        size = model.recipe.size
        video = torch.zeros(1, model.frames, 3, size, size, device=self.device)
        label = torch.full((1,), -1, device=self.device)
        with torch.no_grad():
            outputs = self._outputs({"video": video, "id": [""], "label": label})
            if not getattr(outputs.encoded, "entered", True):
                raise UsageError(
                    f"{name} has no features: its last layer is not linear; let the factory make a "
                    "VideoModel, see sbtools-extend(7)"
                )
            streams = self._streams(outputs)
        if self.stream not in streams:
            known = ", ".join(filter(None, streams)) or "that of the last layer alone"
            raise UsageError(f"--stream {self.stream}: {name} has {known}")

    def answer(self, part: Batch, keep: bool) -> Tensor:
        """Features [B, D], or [B, T, D] of frames; of a model in double, in double."""
        found = self._streams(self._outputs(part))[self.stream]
        return found.unflatten(0, part["video"].shape[:2]) if self.per_frame else found

    def averaged(self, scores: Tensor, each: int) -> NDArray[np.float32]:
        """The mean over the items of each record."""
        return mean_of(scores, each)

    def unusable(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """bool [R]: which have a feature that is no number."""
        finite: NDArray[np.bool_] = np.isfinite(rows.reshape(len(rows), -1))
        return np.logical_not(finite.all(1))

    def _outputs(self, part: Batch) -> Outputs:
        kind = FrameOutputs if self.per_frame else Outputs
        given = frames_of(part) if self.per_frame else part
        whole = {**given, "draws": self.draws}
        evaluated = self.evaluated
        return kind(evaluated.model, whole, evaluated.represent, frozenset(), self.precision)

    def _streams(self, outputs: Outputs) -> dict[str, Tensor]:
        method = self.evaluated.method
        if method is None or not self.stream:
            return {"": outputs.features}
        return method.streams(outputs)


class FrameOutputs(Outputs):
    """Of clips of one frame each, by the model's own way to encode a frame."""

    @cached_property
    def encoded(self) -> Encoded:
        with self._precise():
            encoded = self.model.encode_frame(self.batch["video"][:, 0])
        return encoded.full()


def frames_of(part: Batch) -> dict[str, Any]:
    """The T frames of each clip of a batch as clips of their own, one after another: [B * T, 1]."""
    video = part["video"]
    count = video.shape[1]
    return {
        "video": video.flatten(0, 1)[:, None],
        "id": [id for id in part["id"] for _ in range(count)],
        "label": part["label"].repeat_interleave(count),
        **({"normalise": part["normalise"]} if "normalise" in part else {}),
    }
