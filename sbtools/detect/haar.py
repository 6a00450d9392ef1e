"""People by their faces and shoulders, by the cascades that OpenCV ships."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import cv2.data
import numpy as np

from sbtools.detect.base import Box, Clip, Image
from sbtools.detect.boxes import Xyxy, clip, suppress
from sbtools.detect.view import View, shrink

CASCADES = {
    "face": ("haarcascade_frontalface_default.xml", 24),
    "profile": ("haarcascade_profileface.xml", 24),
    "upperbody": ("haarcascade_upperbody.xml", 44),
}
"""Name -> file and least width found, in pixels of the searched frame."""
BODY = {
    "face": (-1.25, -0.35, 2.25, 8.0),
    "profile": (-1.25, -0.35, 2.25, 8.0),
    "upperbody": (0.1, 0.08, 0.9, 3.5),
}
"""The body's box, in sides of what was found, from its upper left corner: a standing person is
about 7.5 heads high and the arms hang 3.5 faces apart."""
UNIT = {"face": 5.0, "profile": 3.0, "upperbody": 3.0}
"""Score of a cascade's last stage that counts as 1."""


class HaarDetector:
    """Viola and Jones (2001): frontal faces, profiles of both sides, upper bodies.

    `threshold`: least score (the cascade's last stage, as a share of a sure detection);
    `neighbors`: least number of windows that agree; `area`: pixels of the frame as it is searched.
    """

    name = "haar"
    takes_prompts = False
    in_worker = True

    def __init__(self, threshold: float = 0.2, neighbors: int = 3, area: int = 400 * 300) -> None:
        self.threshold, self.neighbors, self.area = threshold, neighbors, area
        self._cascades = {
            name: cv2.CascadeClassifier(cv2.data.haarcascades + file)
            for name, (file, _) in CASCADES.items()
        }

    def describe(self) -> dict[str, Any]:
        settings = {"threshold": self.threshold, "neighbors": self.neighbors, "area": self.area}
        return {"name": self.name, "version": 1, **settings}

    def context(self, wanted: Sequence[int], count: int, fps: float) -> Sequence[int]:
        return []

    def detect(self, clip: Clip, objects: Sequence[str] = ()) -> list[Box]:
        return [box for number in clip.wanted for box in self.detect_frame(clip, number)]

    def detect_frame(self, clip: Clip, number: int) -> list[Box]:
        """The bodies of one frame, best first."""
        view = View(clip, self.area)
        rgb = shrink(clip.frame(number), (view.width, view.height))
        grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
        found = [(part, score, name) for name, part, score in self._parts(grey)]
        bodies = [_body(part, name, view.scale, clip) for part, _, name in found]
        scores = [score for _, score, _ in found]
        return [Box(number, bodies[i], scores[i]) for i in suppress(bodies, scores, 0.4)]

    def _parts(self, grey: Image) -> Iterator[tuple[str, Xyxy, float]]:
        mirrored = np.ascontiguousarray(grey[:, ::-1])
        width = grey.shape[1]
        for name in CASCADES:
            for part, score in self._search(name, grey):
                yield name, part, score
        for (x0, y0, x1, y1), score in self._search("profile", mirrored):
            yield "profile", (width - x1, y0, width - x0, y1), score

    def _search(self, name: str, grey: Image) -> Iterator[tuple[Xyxy, float]]:
        least = CASCADES[name][1]
        found, _, weights = self._cascades[name].detectMultiScale3(
            grey,
            scaleFactor=1.15,
            minNeighbors=self.neighbors,
            minSize=(least, least),
            outputRejectLevels=True,
        )
        for (x, y, w, h), weight in zip(found, np.ravel(weights), strict=True):
            score = min(1.0, float(weight) / UNIT[name])
            if score >= self.threshold:
                yield (float(x), float(y), float(x + w), float(y + h)), score


def _body(part: Xyxy, name: str, scale: float, frames: Clip) -> Xyxy:
    x0, y0, x1, y1 = (v / scale for v in part)
    a, b, c, d = BODY[name]
    wide, high = x1 - x0, y1 - y0
    body = x0 + a * wide, y0 + b * high, x0 + c * wide, y0 + d * high
    return clip(body, frames.height, frames.width)
