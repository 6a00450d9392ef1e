"""What is a video by its name, and which folders are clips stored as numbered images."""

from __future__ import annotations

import os
import re

VIDEO_SUFFIXES = frozenset(
    ".3gp .asf .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .webm .wmv".split()
)
IMAGE_SUFFIXES = frozenset((".bmp", ".jpeg", ".jpg", ".png"))

_NUMBERED = re.compile(r"(.*?)([0-9]+)(\.[^.]+)", re.DOTALL)


def images(folder: str) -> list[str] | None:
    """Names of the images of a frame folder, in numeric order; None when it is not one.

    A frame folder holds two or more images named prefix + digits + suffix, with one prefix and
    one suffix, and no other image. Hidden files and files of other kinds do not count.
    """
    found: list[tuple[int, str]] = []
    kinds = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            suffix = os.path.splitext(entry.name)[1].lower()
            if entry.name.startswith(".") or suffix not in IMAGE_SUFFIXES or entry.is_dir():
                continue
            match = _NUMBERED.fullmatch(entry.name)
            if not match or len(match[2]) > 18:
                return None
            kinds.add((match[1], match[3].lower()))
            found.append((int(match[2]), entry.name))
    if len(found) < 2 or len(kinds) != 1:
        return None
    return [name for _, name in sorted(found)]


def is_frame_folder(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is a folder of numbered images, which together are one clip."""
    try:
        return images(os.fspath(path)) is not None
    except (OSError, ValueError):
        return False
