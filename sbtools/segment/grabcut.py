"""GrabCut over the whole clip: shapes from boxes, motion and colours that its frames share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.detect import flow
from sbtools.detect.base import OBJECT, PERSON, Box, Clip, Image
from sbtools.detect.boxes import Xyxy, grow, raster
from sbtools.detect.shots import shots
from sbtools.detect.view import View
from sbtools.segment import prior
from sbtools.segment.base import FrameMasks, Mask
from sbtools.segment.colour import ColourModel, codes
from sbtools.segment.cut import cut
from sbtools.segment.shape import enlarge, refit, tidy

Odds = NDArray[np.float32]
Votes = tuple[NDArray[np.float32], NDArray[np.float32]]
"""How much each pixel tells about the colours of the rest, and of the shape, 0 to 1."""
WINDOW = 24
LEARN = 12
AFAR = 0.1
SURE = 0.6
KEPT = 0.2
PIVOT, STILL = 0.2, 0.25
"""Sureness of motion that speaks neither way, and what stillness counts, in sure motions."""


class GrabCutSegmenter:
    """Iterated graph cuts (Rother, Kolmogorov and Blake 2004) with one colour model per shot.

    `smoothness`: what a border costs where the picture is flat, in nats; `motion`: nats that sure
    motion is worth; `colour`: weight of the colour model; `rounds`: times that it is learned;
    `area`: pixels of the working resolution.
    """

    name = "grabcut"
    in_worker = True
    wants = frozenset({"boxes", "frames"})

    def __init__(
        self,
        smoothness: float = 3.0,
        motion: float = 2.5,
        colour: float = 1.5,
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
        view = View(clip, self.area, keep=2 * WINDOW)
        for numbers in shots(view, clip.wanted, WINDOW):
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
        stills = {n: self._still(view, n, boxes[n], person) for n in numbers if n in boxes}
        chosen = list(stills.values())[:: max(1, -(-len(stills) // LEARN))]
        told = [votes(still.seed, still.boxes) for still in chosen]
        first = told
        table = _learn(chosen, told)
        for _ in range(self.rounds):
            masks = [self._settle(still, table) for still in chosen]
            told = [mixed(mask, votes) for mask, votes in zip(masks, first, strict=True)]
            table = _learn(chosen, told)
        for still in stills.values():
            if not any(still is other for other in chosen):
                self._settle(still, table)
        return {n: tidy(self._cut(s, table), s.boxes) for n, s in stills.items()}

    def _still(self, view: View, number: int, boxes: Sequence[Xyxy], person: bool) -> _Still:
        moves = np.zeros((view.height, view.width), np.float32)
        if person:
            sure = flow.evidence(view, number)
            if sure.max() > 0.3:
                moves = self.motion * np.maximum((sure - PIVOT) / (1 - PIVOT), -STILL)
        lab = view.lab(number)
        return _Still(
            lab, codes(lab).astype(np.int32), moves.astype(np.float16), list(boxes), person
        )

    def _settle(self, still: _Still, table: NDArray[np.float32]) -> Mask:
        """Cuts, and moves the boxes towards what was found."""
        mask = self._cut(still, table)
        still.boxes = refit(still.boxes, tidy(mask, still.boxes))
        return mask

    def _cut(self, still: _Still, table: NDArray[np.float32]) -> Mask:
        colour = table[still.code].reshape(still.lab.shape[:2])
        return cut(still.seed + self.colour * colour, still.lab, self.smoothness)


@dataclass
class _Still:
    """One frame at working resolution: its colours, what moves, and the boxes as they are now."""

    lab: Image
    code: NDArray[np.int32]
    moves: NDArray[np.float16]
    boxes: list[Xyxy]
    person: bool

    @property
    def seed(self) -> Odds:
        """Log odds of the shape before colour: where the boxes are, and what moves."""
        height, width = self.lab.shape[:2]
        return prior.odds(self.boxes, height, width, self.person) + self.moves


def _small(boxes: Sequence[Box], role: str, scale: float) -> dict[int, list[Xyxy]]:
    small: dict[int, list[Xyxy]] = {}
    for box in boxes:
        if box.role == role:
            x0, y0, x1, y1 = (v * scale for v in box.xyxy)
            small.setdefault(box.frame, []).append((x0, y0, x1, y1))
    return small


def votes(seed: Odds, boxes: Sequence[Xyxy]) -> Votes:
    """How much each pixel tells, before any cut, about the colours of the rest and of the shape.

    Only what is nearly as sure as the surest in its box counts for the shape, so that a box drawn
    too large does not teach its surroundings.
    """
    sure = np.full(seed.shape, max(0.5, SURE * float(seed.max())), np.float32)
    for box in boxes:
        where = raster(box, *seed.shape)
        if seed[where].size:
            best = SURE * float(np.percentile(seed[where], 90))
            sure[where] = np.minimum(sure[where], max(0.5, best))
    return np.clip(-seed, 0, 1), np.clip(2 * seed / sure - 1, 0, 1)


def mixed(mask: Mask, first: Votes) -> Votes:
    """Votes for the colours by a cut, with a share of those before any cut, lest it run away."""
    shape, (back, inner) = mask.astype(np.float32), first
    return (1 - KEPT) * (1 - shape) + KEPT * back, (1 - KEPT) * shape + KEPT * inner


def _learn(stills: Sequence[_Still], told: Sequence[Votes]) -> NDArray[np.float32]:
    model = ColourModel()
    for still, (back, shape) in zip(stills, told, strict=True):
        near = nearness(still.boxes, *still.lab.shape[:2])
        model.add(still.code, back * near, shape)
    return model.odds()


def nearness(boxes: Sequence[Xyxy], height: int, width: int) -> NDArray[np.float32]:
    """How much a pixel tells about the colours around the shapes: 1 where a box would reach if it
    were doubled, AFAR beyond; float32 [height, width]."""
    near = np.full((height, width), AFAR, np.float32)
    for box in boxes:
        near[raster(grow(box, 0.5), height, width)] = 1
    return near
