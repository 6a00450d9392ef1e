"""Masks that the user already has: what the back ends that bring them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sbtools.detect.base import OBJECT, PERSON, Box, Clip
from sbtools.records import Record
from sbtools.segment.base import FrameMasks, Mask

MOST_BOXES = 32


class GivenMasks(ABC):
    """A segmenter that looks up masks instead of working them out; it needs no boxes."""

    name: str
    in_worker: bool = True
    wants: frozenset[str] = frozenset()

    def describe(self) -> dict[str, Any]:
        """What the masks depend on, JSON-ready: the name, where they are the record's own."""
        return {"name": self.name}

    def context(self, wanted: Sequence[int], count: int, fps: float) -> Sequence[int]:
        """Frames that it needs besides `wanted`: none."""
        return []

    @abstractmethod
    def frames(self, record: Record) -> list[int]:
        """The numbers of the frames that have a mask, ascending; ClipError when it cannot tell."""

    @abstractmethod
    def masks(self, record: Record, clip: Clip) -> Iterator[FrameMasks]:
        """The masks of every wanted frame, ascending.

        Raises ClipError: "missing" for a frame without a mask, "mismatch" for one of another size.
        """


def boxes_of(masks: FrameMasks) -> list[Box]:
    """The boxes of both roles, by `boxes_of_mask`, with score 1."""
    return [
        Box(masks.frame, xyxy, 1.0, role, role)
        for role, mask in ((PERSON, masks.person), (OBJECT, masks.object))
        for xyxy in boxes_of_mask(mask)
    ]


def boxes_of_mask(mask: Mask) -> list[tuple[float, float, float, float]]:
    """A box around each connected part of a mask, ordered from the top left.

    A mask in more than 32 parts, which is noise rather than so many things, has one box.
    """
    import cv2

    parts, _, stats, _ = cv2.connectedComponentsWithStats(
        np.ascontiguousarray(mask).view(np.uint8), connectivity=8
    )
    if parts - 1 > MOST_BOXES:
        return [bounds(mask)]
    sides = stats[1:, :4].tolist()
    corners = [(x, y, x + width, y + height) for x, y, width, height in sides]
    return [
        (float(x0), float(y0), float(x1), float(y1))
        for x0, y0, x1, y1 in sorted(corners, key=lambda box: (box[1], box[0]))
    ]


def bounds(mask: Mask) -> tuple[float, float, float, float]:
    """The smallest box, xyxy, around all that is True; the mask must not be empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
