"""Opening a clip, whatever it is."""

from __future__ import annotations

import os

from sbtools.video.base import MAX_PIXELS, Video
from sbtools.video.source import checked, open_regular


def open_video(
    path: str | os.PathLike[str],
    start: float | None = None,
    end: float | None = None,
    max_pixels: int = MAX_PIXELS,
    fps: float | None = None,
) -> Video:
    """Open a video file or a frame folder.

    start, end: seconds from the first frame; `numbers` are those of the frames with
    start <= t < end. fps: the frame rate of a frame folder, which has none of its own. ClipError:
    "missing", "unsafe" (NUL in the path), "unreadable", "too-large" (more than max_pixels pixels a
    frame; found before the decoder allocates them).
    """
    name = checked(path)
    if os.path.isdir(name):
        from sbtools.video.images import FolderVideo

        return FolderVideo(name, start, end, max_pixels, fps)
    from sbtools.video.file import FileVideo

    return FileVideo(open_regular(name), start, end, max_pixels)
