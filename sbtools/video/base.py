"""What a clip is to those who read it: files, folders, zips and single images alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from sbtools.errors import ClipError

Image = NDArray[np.uint8]

MAX_PIXELS = 36_000_000
"""Larger frames than this (8K is 33 million pixels) are refused before they are decoded."""


class Video(ABC):
    """An open clip; a context manager. Frames are numbered from the start of the file, from 0.

    count           frames that the file promises
    fps             frames a second, 0 when unknown
    numbers         numbers of the frames in [start, end) seconds
    warnings        one line for each defect that did not stop the reading so far
    decoded_frames  frames that decode, once the end (or the damage) was reached, else None
    """

    count: int
    declared: int
    fps: float
    codec: str
    numbers: range

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.decoded_frames: int | None = None

    @property
    @abstractmethod
    def height(self) -> int:
        """Pixels of the displayed frame, after rotation."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Pixels of the displayed frame, after rotation."""

    @property
    @abstractmethod
    def rotation(self) -> int:
        """Degrees clockwise, a multiple of 90, that the coded frames are turned to be displayed."""

    @abstractmethod
    def time(self, number: int) -> float:
        """Seconds from the first frame to that frame; without any clock, the number itself."""

    @abstractmethod
    def _read(self, wanted: Sequence[int]) -> Iterator[tuple[int, Image]]:
        """Yield `wanted`, which are unique, ascending and promised; may end early at damage."""

    @abstractmethod
    def verify(self) -> int:
        """Decode every frame of the file; how many do. Sets `decoded_frames`."""

    @abstractmethod
    def close(self) -> None:
        """Release the file; twice does no harm."""

    def __enter__(self) -> Video:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def read(self, numbers: Iterable[int]) -> Iterator[tuple[int, Image]]:
        """Decode the frames of these numbers: (number, RGB uint8 [H, W, 3]), ascending, each once.

        Streaming: a few frames are in memory at a time, whatever is asked. Only one reading of a
        Video goes on at a time: a new one ends those begun before. ClipError("truncated") at the
        first wanted frame that does not decode, ("mismatch") for a number that the file does not
        promise or a frame of another size, ("memory") when memory does not suffice.
        """
        wanted = sorted({int(number) for number in numbers})
        if wanted and (wanted[0] < 0 or wanted[-1] >= self.count):
            raise self._unpromised(wanted[0] if wanted[0] < 0 else wanted[-1])
        return self._checked(wanted)

    def _checked(self, wanted: list[int]) -> Iterator[tuple[int, Image]]:
        done = 0
        if wanted:
            for number, image in self._read(wanted):
                yield number, image
                done += 1
        if done < len(wanted):
            raise self._cut(wanted[done])

    def _members(self, start: float | None, end: float | None) -> range:
        """Numbers of the frames whose time t satisfies start <= t < end."""
        if start is None and end is None:
            return range(self.count)
        times = _Times(self)
        low = 0 if start is None else bisect_left(times, start)
        return range(low, self.count if end is None else max(low, bisect_left(times, end)))

    def _unpromised(self, number: int) -> ClipError:
        kind = "truncated" if self.count <= number < self.declared else "mismatch"
        return ClipError(
            kind, f"frame {number} was asked for, but the file holds {self.count} frames"
        )

    def _cut(self, number: int) -> ClipError:
        decoded = self.decoded_frames or 0
        where = f"after frame {decoded - 1}" if decoded else "before its first frame"
        return ClipError(
            "truncated",
            f"frame {number} of {max(self.count, self.declared)} does not decode: "
            f"the file is cut or damaged {where}",
        )


class _Times(Sequence[float]):
    """The times of all frames as a sequence, for bisection."""

    def __init__(self, video: Video) -> None:
        self._video = video

    def __len__(self) -> int:
        return self._video.count

    def __getitem__(self, number: int) -> float:  # type: ignore[override]
        return self._video.time(number)
