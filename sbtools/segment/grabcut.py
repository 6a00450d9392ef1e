"""GrabCut over the whole clip: shapes from boxes, motion and colours that its frames share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sbtools.detect import flow
from sbtools.detect.base import OBJECT, PERSON, Box, Clip
from sbtools.detect.boxes import Xyxy, grow, raster
from sbtools.detect.shots import shots
from sbtools.detect.view import View
from sbtools.segment import prior
from sbtools.segment.base import FrameMasks, Mask
from sbtools.segment.colour import ColourModel, codes
from sbtools.segment.cut import cut

Odds = NDArray[np.float32]
WINDOW = 24
LEARN = 12
AFAR = 0.1


class GrabCutSegmenter:
    """Iterated graph cuts (Rother, Kolmogorov and Blake 2004) with one colour model per shot.

    `smoothness`: what a border costs where the picture is flat, in nats; `motion`: nats that sure
    motion is worth; `colour`: weight of the colour model; `rounds`: times that it is learned;
    `area`: pixels of the working resolution.
    """

    name = "grabcut"
    in_worker = True

    def __init__(
        self,
        smoothness: float = 3.0,
        motion: float = 2.5,
        colour: float = 1.0,
        rounds: int = 2,
        area: int = 320 * 240,
    ) -> None:
        self.smoothness, self.motion, self.colour = smoothness, motion, colour
        self.rounds, self.area = rounds, area

    def describe(self) -> dict[str, Any]:
        settings = ("smoothness", "motion", "colour", "rounds", "area")
        return {"name": self.name, "version": 1, **{key: getattr(self, key) for key in settings}}

    def context(self, wanted: Sequence[int], count: int, fps: float) -> Sequence[int]:
        return flow.context(wanted, count, fps)

    def segment(self, clip: Clip, boxes: Sequence[Box]) -> Iterator[FrameMasks]:
        view = View(clip, self.area)
        for numbers in windows(view):
            found = {
                role: self._shapes(view, numbers, _small(boxes, role, view.scale), role == PERSON)
                for role in (PERSON, OBJECT)
            }
            for number in numbers:
                person = enlarge(found[PERSON].get(number), clip.height, clip.width)
                thing = enlarge(found[OBJECT].get(number), clip.height, clip.width)
                yield FrameMasks(number, person, thing & ~person)

    def _shapes(
        self, view: View, numbers: Sequence[int], boxes: dict[int, list[Xyxy]], person: bool
    ) -> dict[int, Mask]:
        """The shapes of a shot at working resolution, bool [h, w], by frame number."""
        seeds = {n: self._seed(view, n, boxes[n], person) for n in numbers if n in boxes}
        if not seeds:
            return {}
        chosen = list(seeds)[:: -(-len(seeds) // LEARN)]
        shapes = {n: 1 / (1 + np.exp(-seeds[n])) for n in chosen}
        near = {n: nearness(boxes[n], view.height, view.width) for n in chosen}
        table = _learn(view, shapes, near)
        for _ in range(self.rounds):
            for n in chosen:
                mask = self._cut(view, n, seeds[n], table)
                shapes[n] = 0.85 * cv2.GaussianBlur(mask.astype(np.float32), (5, 5), 0) + 0.15 * shapes[n]
            table = _learn(view, shapes, near)
        return {
            n: tidy(self._cut(view, n, seed, table), boxes[n], seed) for n, seed in seeds.items()
        }

    def _seed(self, view: View, number: int, boxes: Sequence[Xyxy], person: bool) -> Odds:
        """Log odds of the shape before colour: where the boxes are, and what moves."""
        seed = prior.odds(boxes, view.height, view.width, person)
        if person:
            sure = flow.evidence(view, number)
            if sure.max() > 0.3:
                seed = seed + self.motion * np.clip(sure - 0.2, -0.2, 0.8) / 0.8
        return np.asarray(seed, np.float32)

    def _cut(self, view: View, number: int, seed: Odds, table: NDArray[np.float32]) -> Mask:
        lab = view.lab(number)
        colour = table[codes(lab)].reshape(seed.shape)
        return cut(seed + self.colour * colour, lab, self.smoothness)


def windows(view: View) -> Iterator[list[int]]:
    """The wanted frames in runs of one shot, WINDOW frames at most."""
    for shot in shots(view, view.clip.wanted):
        for first in range(0, len(shot), WINDOW):
            yield shot[first : first + WINDOW]


def _small(boxes: Sequence[Box], role: str, scale: float) -> dict[int, list[Xyxy]]:
    small: dict[int, list[Xyxy]] = {}
    for box in boxes:
        if box.role == role:
            x0, y0, x1, y1 = (v * scale for v in box.xyxy)
            small.setdefault(box.frame, []).append((x0, y0, x1, y1))
    return small


def _learn(
    view: View, shapes: dict[int, NDArray[np.float32]], near: dict[int, NDArray[np.float32]]
) -> NDArray[np.float32]:
    model = ColourModel()
    for number, shape in shapes.items():
        model.add(view.lab(number), shape, np.abs(2 * shape - 1) * near[number])
    return model.odds()


def nearness(boxes: Sequence[Xyxy], height: int, width: int) -> NDArray[np.float32]:
    """How much a pixel tells about the colours around the shapes: 1 where a box would reach if it
    were doubled, AFAR beyond; float32 [height, width]."""
    near = np.full((height, width), AFAR, np.float32)
    for box in boxes:
        near[raster(grow(box, 0.5), height, width)] = 1
    return near


def tidy(mask: Mask, boxes: Sequence[Xyxy], seed: Odds) -> Mask:
    """The mask without specks: parts that meet a box and are not small beside the largest; no holes
    smaller than a fiftieth of the shape."""
    kernel = np.ones((3, 3), np.uint8)
    clean = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(clean, connectivity=4)
    keep = np.zeros(count, bool)
    for box in boxes:
        inside = np.bincount(labels[raster(box, *mask.shape)].ravel(), minlength=count)
        inside[0] = 0
        keep |= (inside > 0.15 * inside.max()) & (inside > 0.3 * stats[:, cv2.CC_STAT_AREA])
    kept = keep[labels]
    count, holes, stats, _ = cv2.connectedComponentsWithStats((~kept).astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < 0.02 * kept.sum()
    small[holes[~kept][:0]] = False
    return np.asarray(kept | (small[holes] & ~kept))


def enlarge(mask: Mask | None, height: int, width: int) -> Mask:
    """A mask of working resolution at full size, with smooth outlines; empty for None."""
    if mask is None:
        return np.zeros((height, width), bool)
    if mask.shape == (height, width):
        return mask
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_CUBIC) > 0.5)
