"""Opening the one file that was named: regular, of a known container, and no other."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO

from sbtools.errors import ClipError

HEAD_BYTES = 4096
ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
"""What a zip begins with; the second is that of an empty one."""

_MOV_ATOMS = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid", b"styp")
_MAGIC = (
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"FLV\x01", "flv"),
    (b"OggS", "ogg"),
    (b"0&\xb2u\x8ef\xcf\x11", "asf"),
    (b"\x00\x00\x01\xba", "mpeg"),
)
_KINDS = (
    (stat.S_ISDIR, "a folder, not a video file"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def shown(path: str) -> str:
    """The path as one printable line."""
    return path if path.isprintable() else repr(path)[1:-1]


def checked(path: str | os.PathLike[str]) -> str:
    """The path as str; ClipError("unsafe") when it holds a NUL, ("missing") when nothing is there.

    FFmpeg's protocol strings ("concat:...", "http:...") are file names here, like any other text.
    """
    name = os.fspath(path)
    if "\0" in name:
        raise ClipError("unsafe", "the path holds a NUL character")
    try:
        os.stat(name)
    except UnicodeEncodeError as error:
        raise ClipError(
            "unsafe", "the path is not a file name: it holds half a character"
        ) from error
    except OSError as error:
        raise _unopened(name, error) from error
    return name


def open_regular(path: str) -> BinaryIO:
    """The regular file at `path`, unbuffered; ClipError for anything else, without waiting."""
    try:
        _refuse_irregular(os.stat(path))
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        file = os.fdopen(os.open(path, flags), "rb", buffering=0)
    except OSError as error:
        raise _unopened(path, error) from error
    try:
        _refuse_irregular(os.fstat(file.fileno()))  # it may have been replaced in between
    except ClipError:
        file.close()
        raise
    return file


def is_picture(head: bytes) -> bool:
    """Whether a file that starts with `head` is a PNG, JPEG, BMP or WebP image."""
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    return webp or head.startswith((b"\x89PNG\r\n\x1a\n", b"BM", b"\xff\xd8\xff"))


def demuxer(head: bytes) -> str:
    """FFmpeg's name of the demuxer for a file that starts with `head`.

    ClipError("unreadable") for all but containers that carry their own frames: playlists (ffconcat,
    m3u8, mpd, sdp), which make FFmpeg open other files, are among those refused.
    """
    if head[4:8] in _MOV_ATOMS:
        return "mov"
    if head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"AVIX"):
        return "avi"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    for packet, sync in ((188, 0), (192, 4)):
        if len(head) > 2 * packet + sync and all(head[sync + i * packet] == 0x47 for i in range(3)):
            return "mpegts"
    raise ClipError("unreadable", _no_container(head))


def _no_container(head: bytes) -> str:
    if not head:
        return "the file is empty"
    if not head.strip(b"\0"):
        return "the file starts with zeros only: its content was never written"
    what = "text" if b"\0" not in head and head[:256].isascii() else "of no known container format"
    return f"not a video: the file is {what}"


def _refuse_irregular(status: os.stat_result) -> None:
    for is_kind, words in _KINDS:
        if is_kind(status.st_mode):
            raise ClipError("unreadable", f"not a regular file, but {words}")


def _unopened(path: str, error: OSError) -> ClipError:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return ClipError("missing", f"no such file: {shown(os.path.abspath(path))}")
    return ClipError("unreadable", f"cannot be opened: {error.strerror or error}")
