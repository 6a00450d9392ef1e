"""What a segmenter is, what it wants, and what it gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sbtools.detect.base import Box, Clip
from sbtools.errors import UsageError

Mask = NDArray[np.bool_]
WANTS = ("boxes", "prompts", "frames")
USUAL = frozenset({"boxes", "frames"})


@dataclass(frozen=True)
class FrameMasks:
    """The shapes in one frame: bool [H, W], True on the person, and on the objects.

    boxes: the boxes of this frame where the segmenter has its own, with their tracks where it knows
    them; None leaves those that it was given, or else draws them around the shapes.
    """

    frame: int
    person: Mask
    object: Mask
    boxes: Sequence[Box] | None = None


class Segmenter(Protocol):
    """Turns boxes, prompts or both into shapes."""

    name: str
    in_worker: bool
    """As for a detector."""
    wants: frozenset[str]
    """Of boxes, prompts and frames what it is to be given. A clip is detected only for a segmenter
    that wants boxes; one that wants nothing has its masks already, see `GivenMasks`."""

    def describe(self) -> dict[str, Any]:
        """What the masks depend on, JSON-ready."""

    def context(self, wanted: Sequence[int], count: int, fps: float) -> Sequence[int]:
        """Frames that it needs besides `wanted`, of a clip of `count` frames."""

    def segment(
        self, clip: Clip, boxes: Sequence[Box], prompts: Sequence[str] = ()
    ) -> Iterator[FrameMasks]:
        """The masks of every wanted frame, ascending; a frame without boxes gives empty masks.

        boxes: none where it does not want them. prompts: the names of objects that are looked for;
        given only where it wants them, so that others need not have the argument.
        """


def wants(segmenter: Any) -> frozenset[str]:
    """What a segmenter, or its class, wants; UsageError for what there is not to be had.

    A class of an earlier version does not say: it wants boxes and frames.
    """
    found = getattr(segmenter, "wants", USUAL)
    if isinstance(found, str) or not {*found} <= {*WANTS} or (found and "frames" not in found):
        raise UsageError(
            f"segmenter {segmenter.name}: wants is a set of {', '.join(WANTS)}, with frames among "
            f"them, or an empty one, not {found!r}"
        )
    return frozenset(found)


def shapes(
    segmenter: Segmenter, clip: Clip, boxes: Sequence[Box] | None, prompts: Sequence[str]
) -> Iterator[FrameMasks]:
    """What the segmenter finds in a clip, given what it wants."""
    wanted = wants(segmenter)
    given = boxes or [] if "boxes" in wanted else []
    if "prompts" in wanted:
        return segmenter.segment(clip, given, prompts)
    return segmenter.segment(clip, given)
