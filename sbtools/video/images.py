"""Clips of separate images: folders and zips of numbered ones, and a single one."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from sbtools.errors import ClipError
from sbtools.video.archive import FrameZip
from sbtools.video.base import Image, Video
from sbtools.video.folder import images
from sbtools.video.memory import told_as_memory
from sbtools.video.picture import decode, most_bytes
from sbtools.video.source import open_regular, shown


class ImagesVideo(Video):
    """Images in an order, each decoded by itself; frame numbers are their places, from 0.

    Seconds are frame numbers over the `fps` that is given, since images have no clock.
    """

    codec = "images"
    rotation = 0

    def __init__(
        self, count: int, start: float | None, end: float | None, max_pixels: int, fps: float | None
    ) -> None:
        super().__init__()
        if count > 1 and not fps and not (start is None and end is None):
            raise ClipError(
                "mismatch", "start and end need a frame rate, and images have none: add fps"
            )
        self._max_pixels = max_pixels
        self.fps = fps or 0.0
        self.count = self.declared = count
        self.numbers = self._members(start, end)
        self._size: tuple[int, int] | None = None

    @abstractmethod
    def _named(self, number: int) -> str:
        """The name of an image for messages, as one printable line; "" where it needs none."""

    @abstractmethod
    def _file(self, number: int) -> bytes:
        """The file of an image; ClipError, OSError."""

    @property
    def height(self) -> int:
        return self._sized()[1]

    @property
    def width(self) -> int:
        return self._sized()[0]

    def _sized(self) -> tuple[int, int]:
        if self._size is None:
            self._load(0)
        assert self._size
        return self._size

    def time(self, number: int) -> float:
        return number / self.fps if self.fps else float(number)

    def _read(self, wanted: Sequence[int]) -> Iterator[tuple[int, Image]]:
        for number in wanted:
            yield number, self._load(number)
        if len(wanted) == self.count:
            self.decoded_frames = self.count

    def verify(self) -> int:
        for number in range(self.count):
            self._load(number)
        self.decoded_frames = self.count
        return self.count

    def _load(self, number: int) -> Image:
        name = self._named(number)
        before = f"{name}: " if name else ""
        try:
            with told_as_memory("the image"):
                image = decode(self._file(number), self._max_pixels)
        except ClipError as error:
            raise ClipError(error.kind, f"{before}{error}") from error
        except OSError as error:
            raise ClipError("unreadable", f"{before}{error.strerror}") from error
        size = image.shape[1], image.shape[0]
        self._size = self._size or size
        if size != self._size:
            raise ClipError(
                "mismatch",
                f"{name} is {size[0]}x{size[1]}, the images before it "
                f"{self._size[0]}x{self._size[1]}",
            )
        return image

    def close(self) -> None:
        """Nothing stays open."""


class FolderVideo(ImagesVideo):
    """A frame folder."""

    def __init__(
        self,
        folder: str,
        start: float | None,
        end: float | None,
        max_pixels: int,
        fps: float | None,
    ) -> None:
        try:
            names = images(folder)
        except OSError as error:
            raise ClipError("unreadable", f"cannot be read: {error.strerror}") from error
        if names is None:
            raise ClipError("unreadable", "a folder, but not of two or more numbered images")
        self._folder, self._names = folder, names
        super().__init__(len(names), start, end, max_pixels, fps)

    def _named(self, number: int) -> str:
        return shown(self._names[number])

    def _file(self, number: int) -> bytes:
        with open_regular(os.path.join(self._folder, self._names[number])) as file:
            return _read(file, self._max_pixels)


class ZipVideo(ImagesVideo):
    """A zip of numbered images, read member by member; owns `file`."""

    def __init__(
        self,
        file: BinaryIO,
        start: float | None,
        end: float | None,
        max_pixels: int,
        fps: float | None,
    ) -> None:
        self._zip = FrameZip(file, most_bytes(max_pixels))
        try:
            if self._zip.names is None:
                raise ClipError("unreadable", "a zip, but not of two or more numbered images")
            self._names = self._zip.names
            super().__init__(len(self._names), start, end, max_pixels, fps)
        except BaseException:
            self.close()
            raise

    def _named(self, number: int) -> str:
        return shown(self._names[number])

    def _file(self, number: int) -> bytes:
        return self._zip.read(number)

    def close(self) -> None:
        self._zip.close()


class StillVideo(ImagesVideo):
    """A single image: the one frame of its clip, at the time 0; owns `file`."""

    codec = "image"

    def __init__(
        self,
        file: BinaryIO,
        start: float | None,
        end: float | None,
        max_pixels: int,
        fps: float | None,
    ) -> None:
        self._still = file
        try:
            super().__init__(1, start, end, max_pixels, fps)
        except BaseException:
            self.close()
            raise

    def _named(self, number: int) -> str:
        return ""

    def _file(self, number: int) -> bytes:
        self._still.seek(0)
        return _read(self._still, self._max_pixels)

    def close(self) -> None:
        self._still.close()


def _read(file: BinaryIO, max_pixels: int) -> bytes:
    """The whole file; ClipError("too-large") for more than an image can have."""
    size = os.fstat(file.fileno()).st_size
    if size > most_bytes(max_pixels):
        raise ClipError("too-large", f"{size} bytes are more than an image has")
    data: bytes = file.readall()  # type: ignore[attr-defined]
    return data
