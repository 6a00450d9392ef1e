"""Opening a clip, whatever it is."""

from __future__ import annotations

import os
from typing import BinaryIO

from sbtools.video.base import MAX_PIXELS, Video
from sbtools.video.folder import STILL_SUFFIXES, suffix_of
from sbtools.video.source import ZIP_MAGIC, checked, is_picture, open_regular


def open_video(
    path: str | os.PathLike[str],
    start: float | None = None,
    end: float | None = None,
    max_pixels: int = MAX_PIXELS,
    fps: float | None = None,
) -> Video:
    """Open a video file, a frame folder, a zip of numbered images, or a single image.

    A file is what its first bytes say; a single image has the suffix of one too, or none, so that a
    picture under a video's name is no clip. start, end: seconds from the first frame; `numbers` are
    those of the frames with start <= t < end. fps: the frame rate of images, which have none of
    their own; a single one is at the time 0 whatever it is. ClipError: "missing", "unsafe" (NUL in
    the path, names in a zip that lead elsewhere), "unreadable", "too-large" (more than max_pixels
    pixels a frame, or a zip beyond the limits of `archive`; found before there is room for them).
    """
    name = checked(path)
    if os.path.isdir(name):
        from sbtools.video.images import FolderVideo

        return FolderVideo(name, start, end, max_pixels, fps)
    file = open_regular(name)
    head = _head(file)
    if head.startswith(ZIP_MAGIC):
        from sbtools.video.images import ZipVideo

        return ZipVideo(file, start, end, max_pixels, fps)
    if suffix_of(name) in (*STILL_SUFFIXES, "") and is_picture(head):
        from sbtools.video.images import StillVideo

        return StillVideo(file, start, end, max_pixels, fps)
    from sbtools.video.file import FileVideo

    return FileVideo(file, start, end, max_pixels)


def _head(file: BinaryIO) -> bytes:
    try:
        return file.read(16)
    except OSError:
        return b""  # it is told where the whole is read
