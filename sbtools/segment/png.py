"""Masks from PNG images: FOLDER/<id>/<number>.png.

The samples of the image, as they are stored (the index where it has a palette), say what is where:
0 the background, 2 an object, any other value a person; or with a threshold, what is above it is a
person, and nothing an object.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.detect.base import Box, Clip
from sbtools.errors import ClipError, UsageError
from sbtools.records import Record
from sbtools.segment.base import FrameMasks
from sbtools.segment.folders import of_clip
from sbtools.segment.given import GivenMasks

OBJECT_VALUE = 2
NO_THRESHOLD = -1

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NUMBER = re.compile(r"[0-9]+")
_GREY, _PALETTE = 0, 3
_EXPANDED = {1: 255, 2: 85, 4: 17, 8: 1, 16: 1}
"""What OpenCV multiplies the samples of a grey image with, by their number of bits."""


class PngSegmenter(GivenMasks):
    """Looks masks up in a folder that has a folder of images for each clip, named by its id.

    The last run of digits in an image's name is the number of its frame, where the first frame has
    the number `first`. The images of HAT (princetonvisualai/HAT bda849b, demo/generate.py) begin at
    1 and hold probabilities times 255, of which those above the `threshold` 128 are a person.
    UsageError when there is no such folder.
    """

    name = "png"

    def __init__(self, folder: str, first: int = 0, threshold: int = NO_THRESHOLD) -> None:
        if not os.path.isdir(folder):
            raise UsageError(f"there is no folder {folder} with masks")
        self.folder, self.first, self.threshold = folder, first, threshold
        self._listed: tuple[str, dict[int, str]] | None = None

    def describe(self) -> dict[str, Any]:
        """Name, folder and how it is read; what the images hold is not looked at."""
        told: dict[str, Any] = {"name": self.name, "folder": self.folder}
        if self.first:
            told["first"] = self.first
        if self.threshold != NO_THRESHOLD:
            told["threshold"] = self.threshold
        return told

    def frames(self, record: Record) -> list[int]:
        """The numbers of the frames that have an image."""
        return sorted(self._paths(record["id"]))

    def masks(self, record: Record, clip: Clip) -> Iterator[FrameMasks]:
        """The masks of every wanted frame."""
        return self.segment(clip, [])

    def segment(self, clip: Clip, boxes: Sequence[Box]) -> Iterator[FrameMasks]:
        """The masks of every wanted frame; the boxes are not needed."""
        paths = self._paths(clip.id)
        for number in clip.wanted:
            if number not in paths:
                expected = os.path.join(self.folder, clip.id, f"{number + self.first}.png")
                raise ClipError("missing", f"frame {number} has no mask: there is no {expected}")
            yield self._masks(number, read_values(paths[number], clip.height, clip.width))

    def _masks(self, number: int, values: NDArray[np.uint8 | np.uint16]) -> FrameMasks:
        if self.threshold != NO_THRESHOLD:
            return FrameMasks(number, values > self.threshold, np.zeros(values.shape, np.bool_))
        thing = values == OBJECT_VALUE
        return FrameMasks(number, (values != 0) & ~thing, thing)

    def _paths(self, id: str) -> dict[int, str]:
        if self._listed is None or self._listed[0] != id:
            self._listed = id, _list_images(of_clip(self.folder, id), self.first)
        return self._listed[1]


def _list_images(folder: str, first: int) -> dict[int, str]:
    try:
        names = sorted(name for name in os.listdir(folder) if name.lower().endswith(".png"))
    except (OSError, UnicodeError):
        raise ClipError("missing", f"there is no folder {folder} with masks") from None
    paths: dict[int, str] = {}
    for name in names:
        digits = _NUMBER.findall(name[: -len(".png")])
        if not digits or len(digits[-1]) > 18:
            raise ClipError("mismatch", f"{folder}/{name} has no frame number in its name")
        number = int(digits[-1]) - first
        if number < 0:
            raise ClipError("mismatch", f"{folder}/{name} is before the first frame, {first}")
        if number in paths:
            other = os.path.basename(paths[number])
            raise ClipError("mismatch", f"{folder}: {other} and {name} are of the same frame")
        paths[number] = os.path.join(folder, name)
    return paths


def read_values(path: str, height: int, width: int) -> NDArray[np.uint8 | np.uint16]:
    """The samples of a PNG image of one channel, [height, width], as they are stored.

    Grey and palette images of any depth; colour images only where the channels are equal and
    nothing is transparent. Raises ClipError: missing, unreadable, or mismatch for colours or
    another size, which is looked at before anything is decoded.
    """
    import cv2

    data = _read(path, 8 * height * width + (1 << 20))
    header, body = _essential(path, data)
    columns, rows, depth, kind = struct.unpack(">IIBB", header[:10])
    if (rows, columns) != (height, width):
        raise ClipError("mismatch", f"{path} is {columns}x{rows}, the frame is {width}x{height}")
    grey = _GREY if kind == _PALETTE else kind
    header = struct.pack(">IIBB", columns, rows, depth, grey) + header[10:]
    image = np.frombuffer(_SIGNATURE + _chunk(b"IHDR", header) + body, np.uint8)
    values: Any = cv2.imdecode(image, cv2.IMREAD_UNCHANGED)
    if values is None:
        raise ClipError("unreadable", f"{path} cannot be decoded")
    if values.ndim == 3:
        return _only_channel(path, values)
    made: NDArray[np.uint8 | np.uint16] = values // _EXPANDED[depth]
    return made


def _only_channel(path: str, values: NDArray[Any]) -> NDArray[Any]:
    opaque = values.shape[2] == 3 or (values[..., 3] == np.iinfo(values.dtype).max).all()
    if not opaque or (values[..., :1] != values[..., :3]).any():
        kind = "a colour image" if opaque else "transparent in places"
        raise ClipError(
            "mismatch",
            f"{path} is {kind}; a mask has one channel: 0 background, 2 object, 1 person",
        )
    return np.ascontiguousarray(values[..., 0])


def _read(path: str, limit: int) -> bytes:
    try:
        with open(path, "rb", opener=_open_regular) as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise ClipError("unreadable", f"{path}: {error.strerror or error}") from None
    if len(data) > limit:
        raise ClipError("too-large", f"{path} is larger than any mask of this size")
    return data


def _open_regular(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("not a regular file")
    return descriptor


def _essential(path: str, data: bytes) -> tuple[bytes, bytes]:
    """The content of the header, and the chunks that hold pixels; all else is left out.

    Without its palette an image is one of grey indices.
    """
    if not data.startswith(_SIGNATURE):
        raise ClipError("unreadable", f"{path} is not a PNG image")
    at, header, kept = len(_SIGNATURE), b"", []
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        name, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        whole = data[at : at + 12 + size]
        if whole != _chunk(name, content):
            break
        at += len(whole)
        if name == b"IHDR":
            header = content
        if name in (b"IDAT", b"IEND"):
            kept.append(whole)
        if name == b"IEND" and len(header) == 13:
            return header, b"".join(kept)
    raise ClipError("unreadable", f"{path} is cut short or damaged")


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
