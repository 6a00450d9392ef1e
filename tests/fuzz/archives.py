"""Zips of images, sound and hostile, packed byte by byte: what no archiver would write, too."""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

STORED, DEFLATED, BZIP2 = 0, 8, 12
ENCRYPTED = 1


@dataclass(frozen=True)
class Member:
    """An entry of a zip; what is None is told as it is."""

    name: str
    data: bytes
    method: int = STORED
    flags: int = 0
    mode: int = stat.S_IFREG | 0o644
    size: int | None = None
    crc: int | None = None
    at: int | None = None
    """Where its header is said to be."""


def packed(members: Sequence[Member], comment: bytes = b"") -> bytes:
    """The bytes of a zip, as APPNOTE.TXT 4.3 lays them out."""
    out, directory = bytearray(), bytearray()
    for one in members:
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        body = one.data
        if one.method == DEFLATED:
            body = deflate.compress(one.data) + deflate.flush()
        name = one.name.encode("cp437")
        crc = zlib.crc32(one.data) if one.crc is None else one.crc
        size = len(one.data) if one.size is None else one.size
        told = struct.pack("<HHHHIIIH", one.flags, one.method, 0, 0x21, crc, len(body), size,
                           len(name))  # fmt: skip
        at = len(out) if one.at is None else one.at
        out += b"PK\3\4" + struct.pack("<H", 20) + told + bytes(2) + name + body
        directory += b"PK\1\2" + struct.pack("<HH", 0x314, 20) + told + bytes(8)
        directory += struct.pack("<II", one.mode << 16, at) + name
    return bytes(out + directory + ending(len(members), len(directory), len(out), comment))


def ending(count: int, size: int, at: int, comment: bytes = b"") -> bytes:
    """The record at the end of a zip: so many names, in so many bytes from there on."""
    many = min(count, 0xFFFF)
    return b"PK\5\6" + struct.pack("<4x2HIIH", many, many, size, at, len(comment)) + comment


def sound(images: Sequence[bytes], suffix: str = ".png") -> list[Member]:
    """Members of a zip as ALBAR's sets have it: a folder, and numbered images in it."""
    folder = Member("clip__0/", b"", mode=stat.S_IFDIR | 0o755)
    return [folder, *(Member(f"clip__0/{i + 1:06}{suffix}", data)
                      for i, data in enumerate(images))]  # fmt: skip


def hostile(what: str, images: Sequence[bytes]) -> bytes:
    """A zip with one of HOSTILE wrong."""
    return _MAKERS[what](sound(images))


def _changed(**changes: object) -> Callable[[list[Member]], bytes]:
    """The last member is another."""
    return lambda members: packed([*members[:-1], replace(members[-1], **changes)])  # type: ignore[arg-type]


def _spoilt(members: list[Member]) -> bytes:
    data = bytearray(packed(members))
    data[data.index(members[-1].data) + len(members[-1].data) // 2] ^= 1
    return bytes(data)


def _renamed(members: list[Member]) -> bytes:
    """The directory calls the last image by a name that is none of an image."""
    data = packed(members)
    at = data.rindex(b".png")
    return data[:at] + b".pnf" + data[at + 4 :]


def _moved(members: list[Member]) -> bytes:
    """The members are said to lie before the file."""
    data = packed(members)
    start = data.index(b"PK\1\2")
    return data[:-22] + ending(len(members), len(data) - 22 - start, start + 10_000)


def _swallowed(members: list[Member]) -> bytes:
    """The entry of the last image is told to be a comment on the one before it."""
    data = bytearray(packed(members))
    last = data.rindex(b"PK\1\2")
    before = data.rindex(b"PK\1\2", 0, last)
    data[before + 32 : before + 34] = struct.pack("<H", len(data) - 22 - last)
    return bytes(data)


def _sized(add: int) -> Callable[[list[Member]], bytes]:
    """The directory lies on the size of the last member, whose checksum is right."""
    return lambda members: _changed(method=DEFLATED, size=len(members[-1].data) + add)(members)


def _cut(length: int) -> Callable[[list[Member]], bytes]:
    return lambda members: packed(members)[:-length]


def _bomb(members: list[Member]) -> bytes:
    """84 MiB of zeros in 84 KiB; each member is below the limit for an image."""
    zeros = Member("", bytes(42 << 20), DEFLATED)
    return packed([replace(zeros, name=f"{i}.bmp") for i in range(2)])


def _many(members: list[Member]) -> bytes:
    """So many names that they alone would take much memory; none is looked at."""
    start, size = packed(members)[:64], 400_000 * 46
    return start + bytes(size) + ending(400_000, size, len(start))


def _endless(members: list[Member]) -> bytes:
    """A directory of 2^62 bytes, as zip64 can promise it."""
    data = packed(members)
    far = struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 1 << 40, 1 << 40, 1 << 62, 0)
    locator = b"PK\6\7" + struct.pack("<IQI", 0, len(data), 1)
    return data[:-22] + b"PK\6\6" + far + locator + ending(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)


def _overlapping(members: list[Member]) -> bytes:
    """Images that lie within one another, each with its header, so that all of them are read."""
    inner = packed(members[-1:])
    inner = inner[: inner.index(b"PK\1\2")]
    outer = replace(members[-2], data=members[-2].data + inner)
    rest = members[:-2]
    at = packed(rest).index(b"PK\1\2") + 30 + len(outer.name) + len(members[-2].data)
    return packed([*rest, outer, replace(members[-1], at=at)])


_MAKERS: dict[str, Callable[[list[Member]], bytes]] = {
    "parent": _changed(name="../../../outside/000009.png"),
    "parent within": _changed(name="clip__0/../../000009.png"),
    "windows parent": _changed(name="..\\..\\000009.png"),
    "absolute": _changed(name="/tmp/000009.png"),
    "drive": _changed(name="C:\\000009.png"),
    "link": _changed(mode=stat.S_IFLNK | 0o777, data=b"../../outside/secret.txt"),
    "device": _changed(mode=stat.S_IFCHR | 0o644),
    "a link beside": lambda members: packed(
        [*members, Member("notes", b"/etc/passwd", mode=stat.S_IFLNK | 0o777)]
    ),
    "bomb": _bomb,
    "huge": _changed(size=0xFFFFFFF0, method=DEFLATED),
    "names": _many,
    "endless names": _endless,
    "overlapping": _overlapping,
    "twice": lambda members: packed([*members, members[-1]]),
    "renamed": _renamed,
    "swallowed": _swallowed,
    "moved": _moved,
    "checksum": _spoilt,
    "shorter": _sized(-9),
    "longer": _sized(9),
    "encrypted": _changed(flags=ENCRYPTED),
    "bzip2": _changed(method=BZIP2),
    "unknown method": _changed(method=99),
    "no end": _cut(22),
    "cut directory": lambda members: packed(members)[:-60] + packed(members)[-22:],
    "cut": _cut(300),
    "empty": lambda members: packed([]),
    "no images": lambda members: packed([Member("clip.mp4", bytes(50)), Member("a.txt", b"x")]),
    "two folders": lambda members: packed(
        [*members, *(replace(one, name=f"other/{one.name}") for one in members)]
    ),
}

HOSTILE = {
    **dict.fromkeys(("parent", "parent within", "windows parent", "absolute", "drive", "link",
                     "device", "a link beside"), "unsafe"),
    **dict.fromkeys(("bomb", "huge", "names"), "too-large"),
    **dict.fromkeys(("endless names", "overlapping", "twice", "renamed", "swallowed", "moved",
                     "checksum", "shorter", "longer", "encrypted", "bzip2", "unknown method",
                     "no end", "cut directory", "cut", "empty", "no images", "two folders"),
                    "unreadable"),
}  # fmt: skip
"""What is wrong with a zip, and the kind of error that it is."""


def any_zip(images: Sequence[bytes], draws: np.random.Generator) -> tuple[bytes, str]:
    """One of HOSTILE, and what it is."""
    what = sorted(HOSTILE)[int(draws.integers(len(HOSTILE)))]
    return hostile(what, images), what
