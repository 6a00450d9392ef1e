"""Just enough bitstream syntax to know where decoding may begin, exactly.

A container's key flag is a hint: open GOPs, recovery points, intra refresh and careless muxers set
it where decoding begins with other pixels than a pass from the start gives. So the packets
themselves are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum


class Entry(Enum):
    """What a packet promises."""

    NO = "a frame that needs those before it"
    YES = "a frame from which decoding may begin"
    ODD = "no frame, or more than one: packets of this stream are not its frames"


def entry_rule(codec: str, extradata: bytes) -> Callable[[bytes, bool], Entry] | None:
    """A function (packet, key flag) -> Entry for a codec; None when packets are not to be trusted.

    H.264 may begin at IDR pictures, HEVC at IRAP pictures, VP9 and MPEG-4 at intra pictures, AV1
    where the container says so, those of FROM_START at the start only.
    """
    if codec == "h264":
        length = _length_size(extradata, 4)
        return lambda data, key: _begins(key and _h264_idr(data, length))
    if codec == "hevc":
        length = _length_size(extradata, 21)
        return lambda data, key: _begins(key and _hevc_irap(data, length))
    if codec in _INTRA_ONLY:
        return lambda data, key: Entry.YES
    return _RULES.get(codec)


def needs_data(codec: str, key: bool) -> bool:
    """Whether the rule of that codec looks into a packet with this key flag."""
    return codec in ("mjpeg", "mpeg4", "vp8") or (key and codec in ("h264", "hevc", "vp9"))


def nal_headers(data: bytes, length_size: int) -> Iterator[int]:
    """First byte of each NAL unit; length_size 0 means that start codes separate them."""
    at = 0
    if length_size:
        while at + length_size < len(data):
            yield data[at + length_size]
            at += length_size + int.from_bytes(data[at : at + length_size], "big")
        return
    while (at := data.find(b"\0\0\1", at)) >= 0 and at + 3 < len(data):
        yield data[at + 3]
        at += 3


FROM_START = frozenset(("ffv1", "vp8"))

_INTRA_ONLY = frozenset("prores dnxhd rawvideo png huffyuv ffvhuff utvideo jpeg2000 v210".split())


def _length_size(extradata: bytes, at: int) -> int:
    return (extradata[at] & 3) + 1 if len(extradata) > at and extradata[0] == 1 else 0


def _begins(yes: bool) -> Entry:
    return Entry.YES if yes else Entry.NO


def _h264_idr(data: bytes, length_size: int) -> bool:
    kinds = (header & 31 for header in nal_headers(data, length_size))
    return next((kind == 5 for kind in kinds if 1 <= kind <= 5), False)


def _hevc_irap(data: bytes, length_size: int) -> bool:
    kinds = (header >> 1 & 63 for header in nal_headers(data, length_size))
    return next((16 <= kind <= 21 for kind in kinds if kind < 32), False)


def _mjpeg(data: bytes, key: bool) -> Entry:
    tables = b"\xff\xdb" in data and b"\xff\xc4" in data
    return _begins(tables)  # otherwise they are those of an earlier picture


def _mpeg4(data: bytes, key: bool) -> Entry:
    start = data.find(b"\0\0\1\xb6")
    packed = data.find(b"\0\0\1\xb6", start + 4) >= 0
    if start < 0 or packed or len(data) < start + 5:
        return Entry.ODD
    return _begins(key and data[start + 4] >> 6 == 0)


def _vp8(data: bytes, key: bool) -> Entry:
    hidden = not data or not data[0] & 0x10
    return Entry.ODD if hidden else Entry.NO


def _vp9(data: bytes, key: bool) -> Entry:
    profile_3 = bool(data) and data[0] & 0x30 == 0x30
    return _begins(key and bool(data) and not data[0] >> (1 if profile_3 else 2) & 3)


_RULES: dict[str, Callable[[bytes, bool], Entry]] = {
    "av1": lambda data, key: _begins(key),
    "libdav1d": lambda data, key: _begins(key),
    "ffv1": lambda data, key: Entry.NO,
    "mjpeg": _mjpeg,
    "mpeg4": _mpeg4,
    "vp8": _vp8,
    "vp9": _vp9,
}
