"""Pictures of what a model was shown, small enough to stand in a result."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np
from torch import Tensor

from sbtools.evaluate.catalogue import PLAIN
from sbtools.evaluate.predictor import SCORES
from sbtools.mask.fill import NORMALISE
from sbtools.methods.base import Batch

SIDE, FRAMES, QUALITY = 112, 3, 80


FLIPPED = ("scene", "bg", "bg+obj", "static")
"""The views whose answers are held against those of the clips as they are."""


class Examples:
    """Frames of the first clips of different classes, in every view.

    count: clips. normalise: the constants that videos were normalised with. Each clip is {"id",
    "label", "views": {name: [data URI of a JPEG, ...]}}.
    """

    def __init__(self, count: int, normalise: str, classes: list[str]) -> None:
        self.count, self.constants, self.classes = count, NORMALISE[normalise], classes
        self.found: dict[str, dict[str, Any]] = {}
        self._labels: set[str] = set()

    def look(self, view: str, batch: Batch, shown: Batch) -> None:
        """Take what is wanted of a batch in one view."""
        for place, id in enumerate(batch["id"]):
            if id not in self.found and not self._wanted(int(batch["label"][place]), id):
                continue
            seen = self.found[id]["views"]
            if view not in seen:
                seen[view] = pictures(shown["video"][place], self.constants)

    def _wanted(self, label: int, id: str) -> bool:
        name = self.classes[label] if label >= 0 else ""
        if len(self.found) >= self.count or name in self._labels:
            return False
        self._labels.add(name)
        self.found[id] = {"id": id, "label": name, "views": {}}
        return True

    def described(self) -> list[dict[str, Any]]:
        """As a result keeps them."""
        return list(self.found.values())


class Flips:
    """Clips that are right as they are, and answered otherwise in another view: frames of both.

    count: clips of each view of FLIPPED, no two of one class. Each is {"id", "label", "view",
    "answers": [as it is, there], "pictures": [data URIs of the clip as it is, of the view]}.
    """

    def __init__(self, count: int, normalise: str, classes: list[str]) -> None:
        self.count, self.constants, self.classes = count, NORMALISE[normalise], classes
        self.found: dict[str, dict[str, dict[str, Any]]] = {view: {} for view in FLIPPED}
        self._plain: list[int] = []

    def look(self, view: str, batch: Batch, shown: Batch) -> None:
        """Take what is wanted of a batch in one view; plain comes before the others."""
        answers = shown[SCORES].argmax(1).tolist()
        each = len(batch["id"]) // max(len(answers), 1)
        if view == PLAIN:
            self._plain = answers
        for row, answer in enumerate(answers if view in FLIPPED else ()):
            if answer != self._plain[row]:
                self._take(view, batch, shown, row * each, (self._plain[row], answer))

    def _take(
        self, view: str, batch: Batch, shown: Batch, place: int, answers: tuple[int, int]
    ) -> None:
        label, found = int(batch["label"][place]), self.found[view]
        name = self.classes[label] if label >= 0 else ""
        if label != answers[0] or name in found or len(found) >= self.count:
            return
        found[name] = {
            "id": batch["id"][place],
            "label": name,
            "view": view,
            "answers": [self.classes[answer] for answer in answers],
            "pictures": [pictures(seen["video"][place], self.constants) for seen in (batch, shown)],
        }

    def described(self) -> list[dict[str, Any]]:
        """As a result keeps them."""
        return [flip for found in self.found.values() for flip in found.values()]


def pictures(video: Tensor, constants: Any) -> list[str]:
    """Data URIs of frames, evenly taken, of a normalised video [T, 3, H, W]."""
    count = min(FRAMES, len(video))
    places = [(2 * i + 1) * len(video) // (2 * count) for i in range(count)]
    frames = video[places].float().cpu().permute(0, 2, 3, 1).numpy()
    values = frames * np.array(constants.std) + np.array(constants.mean)
    return [_jpeg(np.rint(frame.clip(0, 1) * 255).astype(np.uint8)) for frame in values]


def _jpeg(frame: Any) -> str:
    height, width = frame.shape[:2]
    factor = SIDE / max(height, width)
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(frame, size, interpolation=how)
    _, data = cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")
