"""What a detector is, and what it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sbtools.video.base import Image as Image

PERSON, OBJECT = "person", "object"


@dataclass(frozen=True)
class Box:
    """A detection; `xyxy` in pixels of the displayed frame, x1 and y1 exclusive.

    track: a number of the person or the object, the same in all frames; None where nobody knows.
    """

    frame: int
    xyxy: tuple[float, float, float, float]
    score: float
    role: str = PERSON
    prompt: str = PERSON
    track: int | None = None


class Clip(Protocol):
    """The decoded frames of one clip, at hand in any order.

    `numbers` are all frames that were decoded, ascending; `wanted`, a subset, are those that need
    boxes and masks. The others are there because a back end asked for them with `context`.
    """

    @property
    def id(self) -> str: ...
    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def fps(self) -> float: ...
    @property
    def numbers(self) -> Sequence[int]: ...
    @property
    def wanted(self) -> Sequence[int]: ...

    def frame(self, number: int) -> Image:
        """The frame of that number: uint8 [H, W, 3], RGB."""


class Detector(Protocol):
    """Finds boxes in the wanted frames of a clip."""

    name: str
    takes_prompts: bool
    in_worker: bool
    """True: made once in each worker, beside the decoder. False: made once, in the parent."""

    def describe(self) -> dict[str, Any]:
        """What the boxes depend on, JSON-ready: name, thresholds, weights' SHA-256 prefix."""

    def context(self, wanted: Sequence[int], count: int, fps: float) -> Sequence[int]:
        """Frames that it needs besides `wanted`, of a clip of `count` frames."""

    def detect(self, clip: Clip, objects: Sequence[str]) -> list[Box]:
        """Boxes of the wanted frames, ordered by frame. `objects` are the object prompts."""
