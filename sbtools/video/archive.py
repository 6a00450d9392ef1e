"""Zips of numbered images, read member by member; nothing is unpacked, nothing in them is obeyed.

Python's zipfile reads the directory and the members. What is left to it is bounded here: how much
of a directory it takes in, and which members it is asked for.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from sbtools.errors import ClipError
from sbtools.video.folder import STILL_SUFFIXES, in_order, suffix_of
from sbtools.video.source import open_regular, shown

NAMES = 100_000
DIRECTORY_BYTES = 16 << 20
TOTAL_BYTES = 64 << 30
RATIO, ANY_RATIO_BYTES = 200, 64 << 20
"""Images may unpack to so many times their packed size, and to so many bytes whatever the ratio:
JPEG and PNG are packed already, bitmaps of one colour shrink to a thousandth."""

_FAULTS = (
    zipfile.BadZipFile, zlib.error, struct.error, RuntimeError, OSError, EOFError, ValueError,
    LookupError, OverflowError,
)  # fmt: skip
"""What zipfile raises for archives that are cut, damaged or hostile."""
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UTF8 = 0x800
_END_BYTES, _UNTOLD = 22 + 0xFFFF, 0xFFFF
"""The record at the end, with the longest comment; what its 16 bits say where they are too few."""
_HEADER_BYTES = 30
_DRIVE = re.compile(r"[A-Za-z]:/")


class FrameZip:
    """An open zip; owns `file`, and closes it even where it is refused.

    names  those of the images in numeric order, without their folder; None where the zip is sound
           but not one of two or more numbered images that lie together
    count  of all images in it

    ClipError: "unreadable" for one that is cut, damaged, encrypted, packed otherwise than by
    deflate, or has a name twice or members that overlap; "unsafe" for names that lead elsewhere,
    and for links; "too-large" beyond the limits above, or `image_bytes` for an image.
    """

    def __init__(self, file: BinaryIO, image_bytes: int) -> None:
        self._file = file
        try:
            with _told():
                self._zip = _directory(file)
            members = self._zip.infolist()
            with _told():
                self._require_all(len(members))
            _require_sound(members, self._zip.start_dir)
            images = {path: info for info in members if (path := _image_path(info))}
            self.count, paths = len(images), in_order(images)
            self._images = [images[path] for path in paths or ()]
            _require_readable(self._images, image_bytes)
            if paths is not None:
                with _told():
                    self._require_names([one for one in members if not _image_path(one)])
        except BaseException:
            self.close()
            raise
        self.names = None if paths is None else [path.rpartition("/")[2] for path in paths]

    def _require_all(self, count: int) -> None:
        """ClipError where the directory tells fewer or more names than the end of the zip promises.

        zipfile does not look at that number; a damaged length hides what follows.
        """
        size = self._file.seek(0, io.SEEK_END)
        self._file.seek(max(0, size - _END_BYTES))
        tail = self._file.read(_END_BYTES)
        at = tail.rindex(b"PK\5\6") + 10
        promised = int.from_bytes(tail[at : at + 2], "little")
        if promised not in (count & _UNTOLD, _UNTOLD):
            raise ClipError("unreadable", f"the zip announces {promised} names and holds {count}")

    def _require_names(self, members: Iterable[zipfile.ZipInfo]) -> None:
        """ClipError where the directory calls a member otherwise than the member itself.

        Images are held against it when they are read; by a name that is damaged, one would be none.
        """
        for info in members:
            self._file.seek(info.header_offset)
            name = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
            if not self._file.read(_HEADER_BYTES + len(name)).endswith(name):
                raise ClipError(
                    "unreadable", f"{shown(info.filename)} has another name in the zip itself"
                )

    def read(self, number: int) -> bytes:
        """The file of an image; ClipError("unreadable") where it is not as the directory says."""
        info = self._images[number]
        with _told(), self._zip.open(info) as member:
            data = member.read(info.file_size)
        if len(data) != info.file_size:
            raise ClipError(
                "unreadable", f"{len(data)} bytes, not {info.file_size} as the zip says"
            )
        return data

    def close(self) -> None:
        """Close the file; twice does no harm."""
        self._file.close()


def look(path: str) -> tuple[bool, int]:
    """Whether a file is a zip of the frames of a clip, and how many images are in it.

    ClipError as of FrameZip and of `open_regular`.
    """
    with open_regular(path) as file:
        found = FrameZip(file, TOTAL_BYTES)
        return found.names is not None, found.count


@contextmanager
def _told() -> Iterator[None]:
    """Turn what zipfile raises into ClipError("unreadable")."""
    try:
        yield
    except _FAULTS as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ClipError("unreadable", f"the zip is cut or damaged: {shown(reason)}") from error


class _Bounded:
    """A file as zipfile reads it; ClipError for a directory of more than DIRECTORY_BYTES."""

    def __init__(self, file: BinaryIO) -> None:
        whole = io.BufferedReader(file)  # type: ignore[type-var]
        self.seek, self.tell, self.seekable = whole.seek, whole.tell, whole.seekable
        self._read = whole.read
        self.bounded = True

    def read(self, size: int = -1) -> bytes:
        if self.bounded and size > DIRECTORY_BYTES:
            raise ClipError(
                "too-large", f"the names of the zip take {size} bytes, more than {DIRECTORY_BYTES}"
            )
        return self._read(size)


def _directory(file: BinaryIO) -> zipfile.ZipFile:
    bounded: Any = _Bounded(file)
    found = zipfile.ZipFile(bounded)
    bounded.bounded = False
    return found


def _require_sound(members: list[zipfile.ZipInfo], end: int) -> None:
    """ClipError for what no archiver writes, wherever in the zip; `end` is where members end."""
    if len(members) > NAMES:
        raise ClipError("too-large", f"the zip holds {len(members)} names, more than {NAMES}")
    seen = set()
    for info in members:
        path, name = _path(info), shown(info.filename)
        if path in seen:
            raise ClipError("unreadable", f"two members of the zip are called {name}")
        seen.add(path)
        if path.startswith("/") or _DRIVE.match(path) or ".." in path.split("/"):
            raise ClipError("unsafe", f"{name} in the zip leads elsewhere")
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ClipError("unsafe", f"{name} in the zip is a link or a device, not a file")
    _require_apart(members, end)


def _require_apart(members: Iterable[zipfile.ZipInfo], end: int) -> None:
    ordered = sorted(members, key=lambda info: info.header_offset)
    following = [*(info.header_offset for info in ordered[1:]), end]
    for info, limit in zip(ordered, following, strict=False):
        header = _HEADER_BYTES + len(info.orig_filename)
        if info.header_offset + header + info.compress_size > limit:
            name = shown(info.filename)
            raise ClipError("unreadable", f"{name} overlaps with what follows it in the zip")


def _require_readable(images: list[zipfile.ZipInfo], image_bytes: int) -> None:
    for info in images:
        name = shown(info.filename)
        if info.flag_bits & _ENCRYPTED:
            raise ClipError("unreadable", f"{name} is encrypted: unpack the zip into a folder")
        if info.compress_type not in _METHODS:
            how = f"method {info.compress_type}"
            raise ClipError("unreadable", f"{name} is packed by {how}: pack it by deflate")
        if info.file_size > image_bytes:
            raise ClipError("too-large", f"{name} unpacks to {info.file_size} bytes")
    total, packed = sum(i.file_size for i in images), sum(i.compress_size for i in images)
    if total > min(TOTAL_BYTES, ANY_RATIO_BYTES + RATIO * packed):
        raise ClipError("too-large", f"{packed} bytes of images in the zip unpack to {total}")


def _path(info: zipfile.ZipInfo) -> str:
    return info.filename.replace("\\", "/")


def _image_path(info: zipfile.ZipInfo) -> str | None:
    """The path of an image; None for other members and for what is hidden.

    As in a folder its suffix tells an image; what macOS adds (__MACOSX/._1.jpg) is hidden.
    """
    path = _path(info)
    hidden = any(part.startswith(".") and part != "." for part in path.split("/"))
    return path if suffix_of(path) in STILL_SUFFIXES and not hidden else None
