"""What a clip is, without its pixels."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from sbtools.video.base import MAX_PIXELS
from sbtools.video.reader import open_video


@dataclass(frozen=True)
class Probe:
    """What is known of a clip.

    frames         of [start, end): those that decode (verified), else those that packets promise
    fps            frames a second, 0 when unknown
    width, height  pixels as displayed, after rotation
    duration       seconds of those frames, 0 when there is no clock
    declared       frames that the header promises for the whole file
    rotation       degrees clockwise that were applied
    """

    frames: int
    fps: float
    width: int
    height: int
    duration: float
    declared: int
    codec: str
    rotation: int
    warnings: tuple[str, ...] = field(default=())


def probe(
    path: str | os.PathLike[str],
    start: float | None = None,
    end: float | None = None,
    verify: bool = False,
    max_pixels: int = MAX_PIXELS,
    fps: float | None = None,
) -> Probe:
    """Look at a clip, whatever it is; verify: decode every frame.

    Arguments and errors are those of `open_video`. Packets are counted without decoding, the first
    frame apart, which tells the displayed size.
    """
    with open_video(path, start, end, max_pixels, fps) as video:
        numbers = video.numbers
        if verify and (decoded := video.verify()) < video.count:
            video.warnings.append(
                f"{decoded} of {max(video.count, video.declared)} frames decode: "
                f"the file is cut or damaged after frame {decoded - 1}"
            )
            numbers = range(numbers.start, max(numbers.start, min(numbers.stop, decoded)))
        seconds = 0.0
        if video.fps and numbers:
            seconds = video.time(numbers[-1]) - video.time(numbers[0]) + 1 / video.fps
        return Probe(
            len(numbers),
            video.fps,
            video.width,
            video.height,
            seconds,
            video.declared,
            video.codec,
            video.rotation,
            tuple(video.warnings),
        )
