"""What workers do: every K-th frame of a clip at a network's size, and one frame of a bank."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import cv2
import numpy as np

from sbtools.bank.scores import stillness
from sbtools.clip import clip_info, locate, open_clip
from sbtools.errors import ClipError
from sbtools.records import Record
from sbtools.video import Video
from sbtools.video.base import Image
from sbtools.work import Chunk

AT_ONCE = 32
"""Frames that a network is given at once. Always as many of the same clip, so that scores do not
depend on other clips."""


class ScoreTask:
    """Called with a record, yields {"images"} uint8 [t, size, size, 3], or {"scores"} float32 [t]
    where there is no size, of every K-th frame; then {"info", "warnings"}."""

    def __init__(self, root: str, every: int, size: int | None) -> None:
        self.root, self.every, self.size = root, every, size

    def __call__(self, record: Record) -> Iterator[Chunk]:
        with opened(record, self.root) as (video, path):
            numbers = video.numbers[:: self.every]
            if self.size is None:
                yield {"scores": stillness(video, self.every)}
            else:
                frames = (squashed(rgb, self.size) for _, rgb in video.read(numbers))
                while group := list(islice(frames, AT_ONCE)):
                    yield {"images": np.stack(group)}
            yield {"info": clip_info(record, video, numbers, path), "warnings": video.warnings}


class FrameTask:
    """Called with the record of a frame of a bank, yields {"rgb"} uint8 [1, size, size, 3] and its
    head; N of the id CLIP#N is the frame's place in the clip, from 0."""

    def __init__(self, root: str, size: int) -> None:
        self.root, self.size = root, size

    def __call__(self, record: Record) -> Iterator[Chunk]:
        with opened(record, self.root) as (video, path):
            place = int(record["id"].rpartition("#")[2])
            if place >= len(video.numbers):
                raise ClipError(
                    "changed", f"the clip has only {len(video.numbers)} frames now: run it again"
                )
            ((number, rgb),) = video.read([video.numbers[place]])
            info = clip_info(record, video, [number], path)
            yield {"rgb": stretched(rgb, self.size)[None], "info": info, "warnings": video.warnings}


class opened:
    """A record's video, open, and its path; ClipError where it has no frame, or is masked."""

    def __init__(self, record: Record, root: str) -> None:
        if "pixels" in record:
            raise ClipError("mismatch", "the clip is masked: give the records from before "
                            "`sbtools mask`")  # fmt: skip
        self.path = locate(record, root)
        self.video = open_clip(record, self.path)

    def __enter__(self) -> tuple[Video, str]:
        if not self.video.numbers:
            self.video.close()
            raise ClipError("mismatch", "no frame of the video lies between start and end")
        return self.video, self.path

    def __exit__(self, *details: object) -> None:
        self.video.close()


def squashed(frame: Image, size: int) -> Image:
    """A frame as the reference network sees it: Pillow's bilinear, whole, whatever its aspect.

    Source: transforms.Resize((224, 224)) of lihaoxin05/StillMix, reference_network/swin-t.
    """
    from PIL import Image as Pillow

    picture = Pillow.fromarray(np.ascontiguousarray(frame))
    return np.asarray(picture.resize((size, size), Pillow.Resampling.BILINEAR))


def stretched(frame: Image, size: int) -> Image:
    """A frame as the bank holds it: OpenCV's bilinear, whole, whatever its aspect, as bytes.

    Source: cv2.resize of lihaoxin05/StillMix, StillMixFrameBankBlending.load_frames, which keeps
    fractions.
    """
    if frame.shape[:2] == (size, size):
        return frame
    found = cv2.resize(frame.astype(np.float64), (size, size), interpolation=cv2.INTER_LINEAR)
    return np.rint(found).clip(0, 255).astype(np.uint8)


def make_score(**settings: Any) -> Callable[[Record], Iterator[Chunk]]:
    """The factory that workers call to score clips."""
    return ScoreTask(**settings)


def make_frame(**settings: Any) -> Callable[[Record], Iterator[Chunk]]:
    """The factory that workers call to make a bank."""
    return FrameTask(**settings)
