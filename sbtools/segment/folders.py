"""Where the masks of a clip lie in a folder of the masks of all: by its id."""

from __future__ import annotations

import os

from sbtools.errors import ClipError


def of_clip(top: str, id: str) -> str:
    """The folder TOP/ID, or where that is not there, TOP/CLASS/ID, whatever the class.

    An id of a data set has no folders, and its masks often lie in those of their classes. Raises
    ClipError: unsafe for an id that leads elsewhere, mismatch where two classes have it.
    """
    if "\0" in id or any(part in ("", ".", "..") for part in id.split("/")):
        raise ClipError("unsafe", f"the id {id!a} is no path below the folder with masks")
    path = os.path.join(top, id)
    if os.path.lexists(path) or "/" in id:
        return path
    found = [os.path.join(folder, id) for folder in _folders(top)]
    found = [place for place in found if os.path.isdir(place)]
    if len(found) > 1:
        raise ClipError("mismatch", f"two folders may hold its masks, {found[0]} and {found[1]}")
    return found[0] if found else path


def _folders(top: str) -> list[str]:
    try:
        with os.scandir(top) as entries:
            return sorted(entry.path for entry in entries if entry.is_dir())
    except OSError:
        return []
