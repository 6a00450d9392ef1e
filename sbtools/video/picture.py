"""One image: PNG, JPEG, BMP or WebP to pixels, within bounds that its header is held against."""

from __future__ import annotations

import struct

import cv2
import numpy as np

from sbtools.errors import ClipError
from sbtools.video.base import Image
from sbtools.video.memory import require_memory, told_as_memory


def most_bytes(max_pixels: int) -> int:
    """Bytes that the file of an image may have: 16 bits in four channels, and room for metadata."""
    return 8 * max_pixels + (16 << 20)


def decode(data: bytes, max_pixels: int) -> Image:
    """An image's file as RGB uint8 [H, W, 3], turned upright by its EXIF orientation.

    ClipError: "unreadable" when it is cut, damaged or of another format, "too-large", "memory".
    """
    size = _header_size(data)
    if size is None or not _whole(data):
        raise ClipError("unreadable", "the image is cut, damaged, or no PNG, JPEG, BMP or WebP")
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
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp_size(data)
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


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Of the first chunk: the canvas, a key frame or a lossless image (RFC 9649)."""
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
        return width, height
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", data[21:25])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return None


def _whole_png(data: bytes) -> bool:
    """Whether its chunks reach to the last one: OpenCV makes room for whatever they promise."""
    at = 8
    while data[at + 4 : at + 8] != b"IEND":
        at += 12 + int.from_bytes(data[at : at + 4], "big")
        if at + 8 > len(data):
            return False
    return True


def _whole(data: bytes) -> bool:
    """Whether the end marker is there: the decoders fill what is missing with grey, silently.

    That of WebP does not: it refuses.
    """
    if data.startswith(b"\x89PNG"):
        return _whole_png(data)
    if data.startswith(b"\xff\xd8"):
        return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda") > 0
    if data.startswith(b"RIFF"):
        return True
    return len(data) >= int.from_bytes(data[2:6], "little")
