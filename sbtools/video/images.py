"""Frame folders: clips stored as numbered images."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from sbtools.errors import ClipError
from sbtools.video.base import Image, Video
from sbtools.video.folder import images
from sbtools.video.memory import require_memory, told_as_memory
from sbtools.video.source import open_regular, shown


class FolderVideo(Video):
    """A frame folder; frame numbers are the places in numeric order, from 0, without gaps."""

    codec = "images"
    rotation = 0

    def __init__(
        self,
        folder: str,
        start: float | None,
        end: float | None,
        max_pixels: int,
        fps: float | None,
    ) -> None:
        super().__init__()
        try:
            names = images(folder)
        except OSError as error:
            raise ClipError("unreadable", f"cannot be read: {error.strerror}") from error
        if names is None:
            raise ClipError("unreadable", "a folder, but not of two or more numbered images")
        if not fps and not (start is None and end is None):
            raise ClipError(
                "mismatch", "start and end need a frame rate, and a frame folder has none: add fps"
            )
        self._folder, self._names, self._max_pixels = folder, names, max_pixels
        self.fps = fps or 0.0
        self.count = self.declared = len(names)
        self.numbers = self._members(start, end)
        self._size: tuple[int, int] | None = None

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
        name = self._names[number]
        try:
            with open_regular(os.path.join(self._folder, name)) as file:
                image = decode_image(file.readall(), self._max_pixels)  # type: ignore[attr-defined]
        except ClipError as error:
            raise ClipError(error.kind, f"{shown(name)}: {error}") from error
        except OSError as error:
            raise ClipError("unreadable", f"{shown(name)}: {error.strerror}") from error
        size = image.shape[1], image.shape[0]
        self._size = self._size or size
        if size != self._size:
            raise ClipError(
                "mismatch",
                f"{shown(name)} is {size[0]}x{size[1]}, the images before it "
                f"{self._size[0]}x{self._size[1]}",
            )
        return image

    def close(self) -> None:
        """Nothing stays open."""


def decode_image(data: bytes, max_pixels: int) -> Image:
    """A PNG, JPEG or BMP image as RGB uint8 [H, W, 3], turned upright by its EXIF orientation.

    ClipError: "unreadable" when it is cut, damaged or of another format, "too-large".
    """
    size = _header_size(data)
    if size is None or not _whole(data):
        raise ClipError("unreadable", "the image is cut, damaged, or no PNG, JPEG or BMP")
    if size[0] * size[1] > max_pixels:
        raise ClipError(
            "too-large", f"{size[0]}x{size[1]} is over the limit of {max_pixels} pixels"
        )
    try:
        with told_as_memory("the image"):
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            if image is not None:
                return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]
    except cv2.error as error:
        raise ClipError("unreadable", "the image is damaged") from error
    require_memory(size[0] * size[1])
    raise ClipError("unreadable", "the image is damaged")


def _header_size(data: bytes) -> tuple[int, int] | None:
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = struct.unpack(">II", data[16:24])
        elif data.startswith(b"BM"):
            width, height = struct.unpack("<ii", data[18:26])
        elif data.startswith(b"\xff\xd8"):
            width, height = _jpeg_size(data)
        else:
            return None
    except (struct.error, IndexError):
        return None
    return abs(width), abs(height)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    while True:
        while data[at] != 0xFF or data[at + 1] in (0x00, 0xFF):
            at += 1
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        if 0xD0 <= marker <= 0xD8 or marker == 0x01:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def _whole(data: bytes) -> bool:
    """Whether the end marker is there: the decoders fill what is missing with grey, silently."""
    if data.startswith(b"\x89PNG"):
        return data.rfind(b"IEND") > 0
    if data.startswith(b"\xff\xd8"):
        return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda") > 0
    return len(data) >= int.from_bytes(data[2:6], "little")
