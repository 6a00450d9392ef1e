"""The decoded frames of one clip, at hand in any order, within bounded memory."""

from __future__ import annotations

import os
import tempfile
from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import numpy as np

from sbtools import records, rng
from sbtools.errors import ClipError
from sbtools.records import Record
from sbtools.video import FrameRule, Video, digest, open_video
from sbtools.video.base import Image

Context = Callable[[Sequence[int], int, float], Sequence[int]]
DEFAULT_FRAMES = "8"

IN_MEMORY = 64 << 20


class FrameBuffer:
    """A `Clip`: frames are put in once; those beyond `in_memory` bytes go to an unnamed file.

    Frames are uint8 [H, W, 3], RGB, all of one size.
    """

    def __init__(
        self,
        id: str,
        height: int,
        width: int,
        fps: float,
        wanted: Sequence[int],
        in_memory: int = IN_MEMORY,
    ) -> None:
        self.id, self.height, self.width, self.fps = id, height, width, fps
        self.wanted = list(wanted)
        self.numbers: list[int] = []
        self._size = height * width * 3
        self._room = in_memory // max(self._size, 1)
        self._frames: dict[int, Image] = {}
        self._places: dict[int, int] = {}
        self._file: IO[bytes] | None = None

    def __enter__(self) -> FrameBuffer:
        return self

    def __exit__(self, *details: object) -> None:
        self._frames.clear()
        if self._file is not None:
            self._file.close()

    def put(self, number: int, frame: Image) -> None:
        """Take a frame in; ClipError when it has another size, or the disk has no room for it."""
        if frame.shape != (self.height, self.width, 3):
            shown = f"{frame.shape[1]}x{frame.shape[0]}"
            raise ClipError(
                "mismatch", f"frame {number} is {shown}, not {self.width}x{self.height}"
            )
        insort(self.numbers, number)
        if len(self._frames) < self._room:
            self._frames[number] = frame
        else:
            self._spill(number, frame)

    def fill(self, frames: Iterable[tuple[int, Image]]) -> None:
        """Take in (number, frame) pairs."""
        for number, frame in frames:
            self.put(number, frame)

    def frame(self, number: int) -> Image:
        """The frame of that number: uint8 [H, W, 3], RGB."""
        kept = self._frames.get(number)
        if kept is not None:
            return kept
        assert self._file is not None, f"frame {number} is not at hand"
        data = os.pread(self._file.fileno(), self._size, self._places[number] * self._size)
        return np.frombuffer(data, np.uint8).reshape(self.height, self.width, 3)

    def _spill(self, number: int, frame: Image) -> None:
        place = len(self._places)
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)
            data = np.ascontiguousarray(frame).data.cast("B")
            written = os.pwrite(self._file.fileno(), data, place * self._size)
            if written != self._size:
                raise OSError("the disk is full")
        except OSError as error:
            raise ClipError(
                "failed",
                f"no room for decoded frames in {tempfile.gettempdir()}: {error} (set TMPDIR)",
            ) from None
        self._places[number] = place


@dataclass(frozen=True)
class FrameSelection:
    """Which frames of a clip are looked at: a rule, or the record's own `sampled`."""

    root: str
    rule: str | None = None
    seed: int = 0

    def wanted(self, record: Record, members: Sequence[int]) -> list[int]:
        """Frame numbers, ascending; `members` are those that belong to the clip."""
        if self.rule is None and "sampled" in record:
            return _sampled(record, members)
        rule = FrameRule.parse(self.rule or DEFAULT_FRAMES)
        return rule.choose(members, self.generator(record))

    def generator(self, record: Record) -> np.random.Generator:
        """What a rule that draws frames draws from."""
        return rng.generator(self.seed, record["id"], "frames")


@dataclass(frozen=True)
class ClipInfo:
    """What is known of a clip once its frames are decoded."""

    id: str
    height: int
    width: int
    fps: float
    wanted: list[int]
    times: list[float]
    frames: int
    packets: int
    decoded: int | None
    digest: str


def locate(record: Record, root: str) -> str:
    """The path of the record's video; ClipError that names what was tried when there is none."""
    if not record.get("video"):
        raise ClipError("missing", "the record has no field 'video'")
    path = records.resolve(record["video"], root)
    if "\0" not in path and not os.path.lexists(path):
        hint = "" if os.path.isabs(record["video"]) else " (--root says where relative paths begin)"
        raise ClipError("missing", f"there is no {path}{hint}")
    return path


def open_clip(record: Record, path: str) -> Video:
    """The record's part of the video at `path`; images have the record's `fps`."""
    return open_video(path, record.get("start"), record.get("end"), fps=record.get("fps"))


def require_same_file(record: Record, found: str) -> None:
    """ClipError when the record was made of a file with another digest than `found`."""
    if record.get("digest", found) != found:
        raise ClipError(
            "changed", "the video has changed since its record was made: run sbtools index again"
        )


@contextmanager
def decoded(
    record: Record, selection: FrameSelection, contexts: Iterable[Context]
) -> Iterator[Decoded]:
    """Decode what is wanted of a clip, and what the back ends need besides, each frame once.

    Raises ClipError when a wanted frame does not decode; the context may be incomplete.
    """
    path = locate(record, selection.root)
    with open_clip(record, path) as video:
        members = list(video.numbers)
        if not members:
            raise ClipError("mismatch", "no frame of the video lies between start and end")
        wanted = selection.wanted(record, members)
        fps = video.fps or 0.0
        extra = {n for context in contexts for n in context(wanted, len(members), fps)}
        asked = sorted({*wanted, *extra & set(members)})
        with FrameBuffer(record["id"], video.height, video.width, fps, wanted) as buffer:
            _fill(buffer, video, asked)
            yield Decoded(clip_info(record, video, wanted, path), buffer, video.warnings)


@dataclass(frozen=True)
class Decoded:
    """What is known of a clip, its frames, and what the decoder had to remark."""

    info: ClipInfo
    frames: FrameBuffer
    warnings: list[str]


def _fill(buffer: FrameBuffer, video: Video, asked: Sequence[int]) -> None:
    try:
        buffer.fill(video.read(asked))
    except ClipError as error:
        if error.kind != "truncated" or set(buffer.wanted) - set(buffer.numbers):
            raise


def clip_info(record: Record, video: Video, wanted: Sequence[int], path: str) -> ClipInfo:
    """What is known of an open video of which the wanted frames were read."""
    members = video.numbers
    known = video.decoded_frames
    whole = known is not None and known < video.count
    found = digest(path)
    require_same_file(record, found)
    frames = sum(number < known for number in members) if whole and known else len(members)
    return ClipInfo(
        id=record["id"],
        height=video.height,
        width=video.width,
        fps=video.fps or 0.0,
        wanted=list(wanted),
        times=[video.time(number) for number in wanted],
        frames=frames,
        packets=video.count,
        decoded=known,
        digest=found,
    )


def _sampled(record: Record, members: Sequence[int]) -> list[int]:
    wanted = sorted(set(record["sampled"]))
    missing = set(wanted) - set(members)
    if missing or not wanted:
        what = f"frame {min(missing)}, which the clip does not have" if missing else "no frame"
        raise ClipError("mismatch", f"the field 'sampled' names {what}: run sbtools detect again")
    return wanted
