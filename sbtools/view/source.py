"""What there is to see of a clip: its frames, with the masks and boxes that belong to them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sbtools.clip import locate
from sbtools.errors import ClipError, DamagedError
from sbtools.records import Record
from sbtools.store import StoredClip, Stores
from sbtools.video import Video, digest, open_video
from sbtools.view.draw import Image, Mask

WHAT = ("auto", "frames", "masks", "pixels")
DEFAULT_FPS = 25.0


@dataclass(frozen=True)
class Shot:
    """One frame: RGB uint8 [H, W, 3], masks bool [H, W] by role, boxes as in a record."""

    number: int
    frame: Image
    masks: Mapping[str, Mask] = field(default_factory=dict)
    boxes: Sequence[Mapping[str, Any]] = ()


class Source(ABC):
    """A clip to look at: `numbers` of the frames that can be shown, ascending."""

    kind: str
    height: int
    width: int
    seconds: float
    numbers: list[int]

    def __init__(self) -> None:
        self.warnings: list[str] = []

    @abstractmethod
    def shots(self, numbers: Sequence[int]) -> Iterator[Shot]:
        """These frames, ascending, one at a time; ClipError when one cannot be had."""


class VideoSource(Source):
    """Frames of the video, with the boxes of the record unless they are not wanted."""

    def __init__(self, record: Record, video: Video, boxes: bool) -> None:
        super().__init__()
        self.video = video
        self.height, self.width = video.height, video.width
        self.boxes = _by_frame(record.get("boxes", []) if boxes else [])
        self.kind = "boxes" if boxes and "boxes" in record else "frames"
        members = list(video.numbers)
        self.seconds = len(members) / (video.fps or DEFAULT_FPS)
        asked = record.get("sampled", sorted(self.boxes)) if boxes else []
        self.numbers = sorted(set(asked) & set(members)) or members

    def shots(self, numbers: Sequence[int]) -> Iterator[Shot]:
        for number, frame in self.video.read(numbers):
            yield Shot(number, frame, boxes=self.boxes.get(number, ()))


class MaskSource(VideoSource):
    """Frames of the video that have masks in a store."""

    def __init__(self, record: Record, video: Video, stored: StoredClip) -> None:
        super().__init__(record, video, True)
        self.kind, self.stored = "masks", stored
        self.boxes = self.boxes or _by_frame(stored.boxes)
        if stored.size != (self.height, self.width):
            sizes = f"masks are {stored.width}x{stored.height}, frames {self.width}x{self.height}"
            raise ClipError("mismatch", f"{sizes}: segment the video again")
        self.places = {int(number): i for i, number in enumerate(stored.frames)}
        self.numbers = list(self.places)

    def shots(self, numbers: Sequence[int]) -> Iterator[Shot]:
        for shot in super().shots(numbers):
            place = self.places[shot.number]
            masks = {role: self.stored.mask(role, place) for role in ("person", "object")}
            yield Shot(shot.number, shot.frame, masks, shot.boxes)


class PixelSource(Source):
    """Frames as a store of pixels holds them; no video is read."""

    kind = "pixels"

    def __init__(self, record: Record, stored: StoredClip) -> None:
        super().__init__()
        self.stored = stored
        self.height, self.width = stored.size
        self.numbers = stored.frames.tolist()
        count = record.get("frames") or self.numbers[-1] - self.numbers[0] + 1
        self.seconds = count / record.get("fps", DEFAULT_FPS)

    def shots(self, numbers: Sequence[int]) -> Iterator[Shot]:
        places = {number: i for i, number in enumerate(self.numbers)}
        for number in numbers:
            yield Shot(number, self.stored.rgb(places[number]))


@contextmanager
def opened(record: Record, what: str, root: str, stores: Stores) -> Iterator[Source]:
    """What there is to see of a clip; `what` is one of WHAT, auto takes the most made of it.

    ClipError: "missing" when there is no such thing or no video, "damaged" for a store, and those
    of decoding.
    """
    try:
        field = _field(record, what)
        if field == "pixels":
            yield PixelSource(record, stores.clip(record["pixels"]))
            return
        path = locate(record, root)
        with open_video(
            path, record.get("start"), record.get("end"), fps=record.get("fps")
        ) as video:
            yield _of_video(record, field, path, video, stores, boxes=what != "frames")
    except DamagedError as error:
        raise ClipError("damaged", str(error)) from None


def _field(record: Record, what: str) -> str | None:
    if what == "auto":
        return next((name for name in ("pixels", "masks") if name in record), None)
    if what == "frames":
        return None
    if what not in record:
        raise ClipError("missing", f"the record has no field '{what}', as --what {what} asks")
    return what


def _of_video(
    record: Record, field: str | None, path: str, video: Video, stores: Stores, boxes: bool
) -> Source:
    if not len(video.numbers):
        raise ClipError("mismatch", "no frame of the video lies between start and end")
    if field is None:
        return VideoSource(record, video, boxes)
    stored = stores.clip(record["masks"])
    source = MaskSource(record, video, stored)
    if stored.attrs.get("digest", "") not in ("", digest(path)):
        source.warnings.append("the video has changed since its masks were made")
    return source


def _by_frame(boxes: Sequence[Mapping[str, Any]]) -> dict[int, list[Mapping[str, Any]]]:
    found: dict[int, list[Mapping[str, Any]]] = {}
    for entry in boxes:
        found.setdefault(entry["frame"], []).append(entry)
    return found


def evenly(numbers: Sequence[int], count: int) -> list[int]:
    """At most `count` of the numbers, the middles of as many equal stretches."""
    total = len(numbers)
    if total <= count:
        return list(numbers)
    return [numbers[(2 * i + 1) * total // (2 * count)] for i in range(count)]
