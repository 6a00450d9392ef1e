"""A clip and the shapes of its people, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sbtools.clip import locate, open_clip
from sbtools.compose.composite import Frame, Mask
from sbtools.errors import ClipError
from sbtools.mask.task import require_same_file, require_same_frames, require_same_size
from sbtools.records import Record
from sbtools.store import StoredClip, Stores
from sbtools.video import Video


@dataclass
class People:
    """An open clip; places count along the frames that have masks, from 0.

    around: the masks of so many frames before and after belong to each frame as well.
    """

    record: Record
    path: str
    clip: Video
    stored: StoredClip
    around: int = 0

    @cached_property
    def numbers(self) -> list[int]:
        """The numbers of the frames that have masks, ascending."""
        return [int(number) for number in self.stored.frames]

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.stored.size

    def mask(self, place: int) -> Mask:
        """Where the people are: bool [H, W]."""
        first, last = max(0, place - self.around), min(len(self), place + self.around + 1)
        found = self.stored.mask("person", first)
        for other in range(first + 1, last):
            found |= self.stored.mask("person", other)
        return found

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """The share of each frame that people fill, 0 to 1: [T]."""
        return np.array([self.mask(place).mean() for place in range(len(self))])

    def frames(self) -> Iterator[tuple[int, Frame]]:
        """Place and pixels uint8 [H, W, 3] of every frame that has masks."""
        for place, (_, rgb) in enumerate(self.clip.read(self.numbers)):
            yield place, rgb

    def frame(self, place: int) -> Frame:
        """The pixels of one frame: uint8 [H, W, 3]."""
        for _, rgb in self.clip.read([self.numbers[place]]):
            return rgb
        raise ClipError("truncated", f"frame {self.numbers[place]} does not decode")


def require_as_filmed(record: Record) -> None:
    """ClipError for a clip that was masked or composed before."""
    if "pixels" in record:
        raise ClipError(
            "mismatch",
            "the clip is masked or composed already: give the records of sbtools segment",
        )


@contextmanager
def people_of(record: Record, root: str, stores: Stores, around: int = 0) -> Iterator[People]:
    """Open a record's video and masks.

    Raises ClipError where there are none, or the masks are not of this file.
    """
    require_as_filmed(record)
    if "masks" not in record:
        raise ClipError("missing", "the record has no masks: run sbtools segment first")
    stored = stores.clip(record["masks"])
    path = locate(record, root)
    require_same_file(path, record, stored)
    with open_clip(record, path) as clip:
        require_same_size(clip, stored)
        require_same_frames(clip, stored)
        yield People(record, path, clip, stored, around)
