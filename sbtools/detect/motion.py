"""Whatever moves against the background."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sbtools.detect import flow
from sbtools.detect.base import Box, Clip
from sbtools.detect.boxes import Xyxy, area, core, hull
from sbtools.detect.tracks import interpolate
from sbtools.detect.view import View

REACH, LONGEST = 0.3, 4.0
"""Parts whose gap is below this share of the smaller one's mean side are of one body."""


class MotionDetector:
    """Boxes around the regions that move otherwise than the camera does.

    `threshold`: how sure the motion must be, 0 to 1; `least`: smallest box, as a share of the
    frame; `most`: people at a time.
    """

    name = "motion"
    takes_prompts = False
    in_worker = True

    def __init__(self, threshold: float = 0.55, least: float = 0.005, most: int = 4) -> None:
        self.threshold, self.least, self.most = threshold, least, most

    def describe(self) -> dict[str, Any]:
        settings = {"threshold": self.threshold, "least": self.least, "most": self.most}
        return {"name": self.name, "version": 1, **settings}

    def context(self, wanted: Sequence[int], count: int, fps: float) -> Sequence[int]:
        return flow.context(wanted, count, fps)

    def detect(self, clip: Clip, objects: Sequence[str] = ()) -> list[Box]:
        view = View(clip)
        found = [box for number in clip.wanted for box in self.boxes_of(view, number)]
        still = [n for n in clip.wanted if n not in {box.frame for box in found}]
        return sorted([*found, *interpolate(found, still)], key=lambda box: box.frame)

    def boxes_of(
        self, view: View, number: int, sure: NDArray[np.float32] | None = None
    ) -> list[Box]:
        """The moving regions of one frame, strongest first; `sure`: its evidence, if at hand."""
        sure = flow.evidence(view, number) if sure is None else sure
        parts = regions(sure, self.threshold, self.least)
        boxes = [
            Box(number, (x0 / view.scale, y0 / view.scale, x1 / view.scale, y1 / view.scale), score)
            for (x0, y0, x1, y1), score in parts
        ]
        return boxes[: self.most]


def regions(sure: NDArray[np.float32], threshold: float, least: float) -> list[tuple[Xyxy, float]]:
    """Boxes around the parts of `sure`, float32 [h, w], above `threshold`, and their mean there.

    Parts near each other become one; boxes below `least` of the frame are left out; the strongest
    first.
    """
    high = (sure > threshold).astype(np.uint8)
    clean = cv2.morphologyEx(high, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(clean, connectivity=8)
    parts = []
    for i in range(1, count):
        own = labels == i
        if stats[i, cv2.CC_STAT_AREA] >= 0.25 * least * sure.size:
            parts.append((core(sure * own), float(sure[own].sum()), float(own.sum())))
    merged = [
        part
        for part in _joined(parts)
        if area(part[0]) >= least * sure.size and elongation(part[0]) <= LONGEST
    ]
    return [(box, weight / n) for box, weight, n in sorted(merged, key=lambda part: -part[1])]


Part = tuple[Xyxy, float, float]


def _joined(parts: list[Part]) -> list[Part]:
    parts = sorted(parts, key=lambda part: -part[2])
    for i, first in enumerate(parts):
        for second in parts[i + 1 :]:
            if _gap(first[0], second[0]) < REACH * _side(second[0]):
                one = hull([first[0], second[0]]), first[1] + second[1], first[2] + second[2]
                rest = [part for part in parts if part is not first and part is not second]
                return _joined([one, *rest])
    return parts


def elongation(box: Xyxy) -> float:
    """The longer side over the shorter."""
    wide, high = box[2] - box[0], box[3] - box[1]
    return max(wide, high) / max(min(wide, high), 1e-9)


def _gap(a: Xyxy, b: Xyxy) -> float:
    return max(a[0] - b[2], b[0] - a[2], a[1] - b[3], b[1] - a[3], 0.0)


def _side(box: Xyxy) -> float:
    return ((box[2] - box[0]) * (box[3] - box[1])) ** 0.5
