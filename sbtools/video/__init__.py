"""Video files, frame folders, zips and images: probing, decoding, choosing frames, writing H.264.

The only package that knows PyAV. `frames` and `folder` need neither it nor OpenCV nor NumPy, so
that options are checked and folders walked without them; the other names are loaded on use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sbtools.video.fingerprint import digest
from sbtools.video.folder import IMAGE_SUFFIXES, VIDEO_SUFFIXES, is_frame_folder
from sbtools.video.frames import FrameRule

if TYPE_CHECKING:
    from sbtools.video.base import MAX_PIXELS, Video
    from sbtools.video.probing import Probe, probe
    from sbtools.video.reader import open_video
    from sbtools.video.writer import FileWriter

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "VIDEO_SUFFIXES",
    "FileWriter",
    "FrameRule",
    "Probe",
    "Video",
    "digest",
    "is_frame_folder",
    "open_video",
    "probe",
]

_LAZY = {
    "FileWriter": "writer",
    "MAX_PIXELS": "base",
    "Probe": "probing",
    "Video": "base",
    "open_video": "reader",
    "probe": "probing",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value
