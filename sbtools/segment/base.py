"""What a segmenter is, and what it gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sbtools.detect.base import Box, Clip

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class FrameMasks:
    """The shapes in one frame: bool [H, W], True on the person, and on the objects."""

    frame: int
    person: Mask
    object: Mask


class Segmenter(Protocol):
    """Turns boxes into shapes."""

    name: str
    in_worker: bool
    """As for a detector."""

    def describe(self) -> dict[str, Any]:
        """What the masks depend on, JSON-ready."""

    def context(self, wanted: Sequence[int], count: int, fps: float) -> Sequence[int]:
        """Frames that it needs besides `wanted`, of a clip of `count` frames."""

    def segment(self, clip: Clip, boxes: Sequence[Box]) -> Iterator[FrameMasks]:
        """The masks of every wanted frame, ascending; a frame without boxes gives empty masks."""
