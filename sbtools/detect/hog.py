"""Upright people, by OpenCV's histogram of oriented gradients and its linear classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from sbtools.detect.base import Box, Clip, Image
from sbtools.detect.boxes import Xyxy, clip, suppress
from sbtools.detect.view import View, shrink

PAD = 24
WINDOW_TO_BODY = (0.2, 0.1, 0.8, 0.91)
"""Where the person stands in the detector's window, which it was trained with a margin around."""


class HogDetector:
    """Dalal and Triggs (2005), as OpenCV ships it: whole people, standing or walking.

    `threshold`: least score of the classifier (0 is its margin); `overlap`: greatest IoU of two
    people; `area`: pixels of the frame as it is searched; the smallest person is 105 of its rows.
    """

    name = "hog"
    takes_prompts = False
    in_worker = True

    def __init__(self, threshold: float = 0.4, overlap: float = 0.4, area: int = 480 * 360) -> None:
        self.threshold, self.overlap, self.area = threshold, overlap, area
        self._hog = cv2.HOGDescriptor()
        self._hog.setSVMDetector(np.asarray(cv2.HOGDescriptor.getDefaultPeopleDetector()))

    def describe(self) -> dict[str, Any]:
        settings = {"threshold": self.threshold, "overlap": self.overlap, "area": self.area}
        return {"name": self.name, "version": 1, **settings}

    def context(self, wanted: Sequence[int], count: int, fps: float) -> Sequence[int]:
        return []

    def detect(self, clip: Clip, objects: Sequence[str] = ()) -> list[Box]:
        return [box for number in clip.wanted for box in self.detect_frame(clip, number)]

    def detect_frame(self, clip: Clip, number: int) -> list[Box]:
        """The boxes of one frame, best first."""
        view = View(clip, self.area)
        grey = cv2.cvtColor(
            shrink(clip.frame(number), (view.width, view.height)), cv2.COLOR_RGB2GRAY
        )
        found, scores = self._windows(np.asarray(grey))
        boxes = [_body(window, view, clip.height, clip.width) for window in found]
        kept = suppress(boxes, scores, self.overlap)
        return [Box(number, boxes[i], float(scores[i])) for i in kept]

    def _windows(self, grey: Image) -> tuple[list[Xyxy], list[float]]:
        grey = np.asarray(cv2.copyMakeBorder(grey, PAD, PAD, PAD, PAD, cv2.BORDER_REPLICATE))
        if grey.shape[0] < 128 or grey.shape[1] < 64:
            return [], []
        found, scores = self._hog.detectMultiScale(
            grey,
            hitThreshold=self.threshold,
            winStride=(8, 8),
            padding=(8, 8),
            scale=1.08,
            groupThreshold=0,
        )
        corners = [(x - PAD, y - PAD, x - PAD + w, y - PAD + h) for x, y, w, h in found]
        windows = [(float(a), float(b), float(c), float(d)) for a, b, c, d in corners]
        return windows, [float(score) for score in np.ravel(scores)]


def _body(window: Xyxy, view: View, height: int, width: int) -> Xyxy:
    x0, y0, x1, y1 = (v / view.scale for v in window)
    a, b, c, d = WINDOW_TO_BODY
    wide, high = x1 - x0, y1 - y0
    return clip((x0 + a * wide, y0 + b * high, x0 + c * wide, y0 + d * high), height, width)
