"""What is a video by its name, and which folders are clips stored as numbered images."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

VIDEO_SUFFIXES = frozenset(
    ".3gp .asf .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .webm .wmv".split()
)
IMAGE_SUFFIXES = frozenset((".bmp", ".jpeg", ".jpg", ".png"))
"""Of the images of a frame folder."""
STILL_SUFFIXES = IMAGE_SUFFIXES | {".webp"}
"""Of an image that is a clip by itself, and of the images of a zip."""
ZIP_SUFFIX = ".zip"

_NUMBERED = re.compile(r"(.*?)([0-9]+)(\.[^.]+)", re.DOTALL)


def suffix_of(path: str) -> str:
    """The suffix with its dot, in lower case."""
    return os.path.splitext(path)[1].lower()


def images(folder: str) -> list[str] | None:
    """Names of the images of a frame folder, in numeric order; None when it is not one.

    A frame folder holds two or more images named prefix + digits + suffix, with one prefix and
    one suffix, and no other image. Hidden files and files of other kinds do not count.
    """
    with os.scandir(folder) as entries:
        return in_order(_image_names(entries))


def _image_names(entries: Iterable[os.DirEntry[str]]) -> Iterator[str]:
    for entry in entries:
        image = suffix_of(entry.name) in IMAGE_SUFFIXES and not entry.name.startswith(".")
        if image and not entry.is_dir():
            yield entry.name


def in_order(names: Iterable[str]) -> list[str] | None:
    """Names of images in numeric order; None where they are not those of one clip's frames.

    They are where there are two or more, each prefix + digits + suffix, with one prefix and one
    suffix.
    """
    found: list[tuple[int, str]] = []
    kinds = set()
    for name in names:
        match = _NUMBERED.fullmatch(name)
        if not match or len(match[2]) > 18:
            return None
        kinds.add((match[1], match[3].lower()))
        found.append((int(match[2]), name))
    if len(found) < 2 or len(kinds) != 1:
        return None
    return [name for _, name in sorted(found)]


def is_frame_folder(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is a folder of numbered images, which together are one clip."""
    try:
        return images(os.fspath(path)) is not None
    except (OSError, ValueError):
        return False
