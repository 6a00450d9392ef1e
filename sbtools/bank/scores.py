"""How much a single frame tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sbtools.errors import ClipError, UsageError
from sbtools.index.labels import key_of_label
from sbtools.records import Record
from sbtools.video import Video
from sbtools.video.base import Image

if TYPE_CHECKING:
    import torch

    from sbtools.evaluate.evaluated_model import EvaluatedModel

Scores = NDArray[np.float32]
SCORES = ("max", "true", "entropy", "motion")
"""max: the largest softmax probability. true: that of the clip's class. entropy: 1 - H(p) / log K.
motion: minus the mean absolute difference to the neighbouring frames; no model is asked."""

STILL = 56
"""Height and width of the grey frames whose difference `motion` is, in pixels."""


class ByModel:
    """Scores of frames by a model that sees single ones; on its device, in float32.

    score: max, true or entropy. Source of max and true: lihaoxin05/StillMix, reference_network/
    swin-t/main_frame.py, save_results; entropy is ours.
    """

    def __init__(self, evaluated: EvaluatedModel, score: str, device: torch.device) -> None:
        self.evaluated, self.score, self.device = evaluated, score, device
        for module in evaluated.modules:
            module.to(device).eval()
        self._places = {key_of_label(name): n for n, name in enumerate(evaluated.model.classes)}

    def __call__(self, images: NDArray[np.uint8], record: Record) -> Scores:
        """Float32 [t] of frames uint8 [t, S, S, 3] of a clip; ClipError where its class is asked
        for and the model does not know it."""
        probabilities = self._probabilities(images)
        if self.score == "max":
            return probabilities.max(1).astype(np.float32)
        if self.score == "true":
            return probabilities[:, self._place(record)].astype(np.float32)
        return certainty(probabilities)

    def require(self, record: Record) -> None:
        """ClipError where the clip cannot be scored, before it is decoded."""
        if self.score == "true":
            self._place(record)

    def _place(self, record: Record) -> int:
        label = record.get("label")
        if label is None:
            raise ClipError("missing", "the record has no label: --score max needs none")
        if key_of_label(label) not in self._places:
            raise ClipError("mismatch", f"the model was not trained on class {label!a}")
        return self._places[key_of_label(label)]

    def _probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Float64 [t, K]: the softmax, computed in the model's precision."""
        import torch

        from sbtools.mask.fill import NORMALISE
        from sbtools.models.base import full

        model = self.evaluated.model
        dtype = next(model.parameters()).dtype
        mean, std = (
            torch.tensor(values, dtype=dtype, device=self.device)[:, None, None]
            for values in NORMALISE[model.recipe.normalise]
        )
        pixels = torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2).to(dtype) / 255
        with torch.no_grad():
            encoded = model.encode_frame((pixels - mean) / std).full()
            logits = full(model.logits(self._represent(encoded), model.test_classes()))
            found: NDArray[np.float64] = logits.softmax(1).double().cpu().numpy()
        return found

    def _represent(self, encoded: Any) -> Any:
        method = self.evaluated.modules[-1]
        represent = getattr(method, "represent", None)
        return encoded if represent is None else represent(encoded)


def certainty(probabilities: NDArray[np.float64]) -> Scores:
    """1 - H(p) / log K of rows of K probabilities: 1 where one class has all, 0 where all are
    alike."""
    count = probabilities.shape[1]
    if count < 2:
        return np.ones(len(probabilities), np.float32)
    logs = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    entropy = -(probabilities * logs).sum(1)
    return (1 - entropy / np.log(count)).astype(np.float32)


def stillness(video: Video, every: int) -> Scores:
    """Minus the mean absolute difference of every K-th frame of a clip to the frames beside it.

    In levels, 0 to 255, of grey frames of 56 x 56; 0, the stillest, where the clip has one frame.
    """
    members = video.numbers
    wanted = range(0, len(members), every)
    beside = {n + step for n in wanted for step in (-1, 0, 1)} & set(range(len(members)))
    change: dict[int, float] = {}
    before: tuple[int, NDArray[np.float32]] | None = None
    places = sorted(beside)
    for place, (_, rgb) in zip(places, video.read(members[n] for n in places), strict=True):
        grey = _grey(rgb)
        if before is not None and before[0] == place - 1:
            change[place] = float(np.abs(grey - before[1]).mean())
        before = place, grey
    near = [[change[n] for n in (place, place + 1) if n in change] for place in wanted]
    return np.array([-np.mean(values) if values else 0.0 for values in near], np.float32)


def _grey(rgb: Image) -> NDArray[np.float32]:
    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (STILL, STILL), interpolation=cv2.INTER_AREA).astype(np.float32)


def require_frame_model(evaluated: EvaluatedModel, note: Callable[[str], object]) -> None:
    """UsageError unless the model sees single frames and averages them; a note where it was trained
    on more than one at once."""
    model, name = evaluated.model, evaluated.about["name"]
    if "one_frame" not in model.provides or model.static_gradient != "mean":
        backbone = getattr(model, "backbone", model.name)
        raise UsageError(
            f"{name} ({backbone}) sees whole clips, not single frames: give a run of a network of "
            "images, as of `sbtools train --model linear --set-model backbone=swin_t --frames 1`"
        )
    if model.frames != 1:
        note(f"{name} was trained on {model.frames} frames of a clip at once, the official network "
             "on one (train --frames 1)")  # fmt: skip
