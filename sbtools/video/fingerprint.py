"""A fingerprint of a video's content, cheap enough to take at every stage."""

from __future__ import annotations

import hashlib
import os
from typing import BinaryIO

from sbtools.errors import ClipError
from sbtools.video.folder import images
from sbtools.video.source import checked, open_regular

_EDGE = 1 << 20


def digest(path: str | os.PathLike[str]) -> str:
    """The fingerprint "SIZE-HEX": size in bytes, SHA-1 of the first and the last MiB.

    It depends on content alone, never on times or on the path. A zip of images is a file like any
    other; its last MiB has the checksums of its members. For a frame folder SIZE is the sum over
    its images and HEX the SHA-1 over the name and fingerprint of each. ClipError when the
    path is missing, unreadable, or neither a regular file nor a frame folder.
    """
    name = checked(path)
    if not os.path.isdir(name):
        size, content = _of_file(name)
        return f"{size}-{content}"
    try:
        names = images(name)
    except OSError as error:
        raise ClipError("unreadable", f"cannot be read: {error.strerror}") from error
    if names is None:
        raise ClipError("unreadable", "a folder, but not of two or more numbered images")
    total, hashed = 0, hashlib.sha1(usedforsecurity=False)
    for image in names:
        size, content = _of_file(os.path.join(name, image))
        total += size
        hashed.update(os.fsencode(image) + f"\0{size}-{content}\n".encode())
    return f"{total}-{hashed.hexdigest()}"


def _of_file(path: str) -> tuple[int, str]:
    with open_regular(path) as file:
        try:
            return _edges(file)
        except OSError as error:
            raise ClipError("unreadable", f"cannot be read: {error.strerror}") from error


def _edges(file: BinaryIO) -> tuple[int, str]:
    size = os.fstat(file.fileno()).st_size
    hashed = hashlib.sha1(usedforsecurity=False)
    hashed.update(_exactly(file, min(size, _EDGE)))
    if size > _EDGE:
        file.seek(max(_EDGE, size - _EDGE))
        hashed.update(_exactly(file, min(size - _EDGE, _EDGE)))
    return size, hashed.hexdigest()


def _exactly(file: BinaryIO, size: int) -> bytes:
    parts = []
    while size > 0 and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
