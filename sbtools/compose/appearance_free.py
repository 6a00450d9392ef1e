"""Noise in place of a clip, moved along as the clip moves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np

from sbtools.compose.composite import Frame
from sbtools.compose.making import Made
from sbtools.compose.noise import Flow, bytes_of, carried, drawn, warped
from sbtools.errors import ClipError
from sbtools.video import Video

FLOW = "DIS, medium"
LEAST = 12
"""Pixels on a side, below which OpenCV's DIS finds no flow."""


def flows(frames: Iterable[Frame]) -> Iterator[Flow]:
    """The flow float32 [H, W, 2] of each frame to the next, in pixels: x, y.

    Source: Kroeger et al., "Fast optical flow using dense inverse search", 2016, as in OpenCV with
    its medium settings. The published clips were made by RAFT.
    """
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    before = None
    for frame in frames:
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        if before is not None:
            yield np.asarray(
                finder.calc(before, grey, np.zeros((*grey.shape, 2), np.float32)), np.float32
            )
        before = grey


def appearance_free(
    clip: Video, numbers: Sequence[int], noise: str, draw: np.random.Generator
) -> Made:
    """Those frames of a clip as noise that moves like it: `numbers` ascend.

    All frames from the first to the last of them are looked at. ClipError where the frames are too
    small to find a flow.
    """
    if min(clip.height, clip.width) < LEAST:
        raise ClipError("mismatch", f"{clip.width}x{clip.height} is too small for optical flow")
    between = [number for number in clip.numbers if numbers[0] <= number <= numbers[-1]]
    wanted = set(numbers)
    moving = flows(rgb for _, rgb in clip.read(between))
    first = drawn(draw, clip.height, clip.width)
    if noise == "published":
        shown = _published(first, moving, [number in wanted for number in between])
    else:
        every = zip(between, carried(first, moving, draw), strict=True)
        shown = (bytes_of(frame) for number, frame in every if number in wanted)
    places = list(range(len(numbers)))
    return Made((clip.height, clip.width), places, shown, composed={"noise": noise, "flow": FLOW})


def _published(first: Flow, moving: Iterator[Flow], wanted: Sequence[bool]) -> Iterator[Frame]:
    if wanted[0]:
        yield bytes_of(first)
    for asked, flow in zip(wanted[1:], moving, strict=True):
        if asked:
            yield bytes_of(warped(first, flow))
