"""Which zips of a folder are clips."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from sbtools.errors import ClipError

log = logging.getLogger("sbtools")


def clips(paths: Iterable[str]) -> set[str]:
    """Those of a folder's zips that are clips, by what is in them.

    A zip of numbered images is one, and beside such a one also a zip that cannot be read, which
    then fails as a clip does; where there is none it is left out, with a warning, for it may be the
    archive that the videos came in.
    """
    frames, unread = set(), {}
    for path in paths:
        try:
            clip, images = _look(path)
        except ClipError as error:
            unread[path] = error
            continue
        if clip:
            frames.add(path)
        elif images:
            log.warning("%s: %d images, not named as frames are (one prefix and a number)",
                        path, images)  # fmt: skip
    if frames:
        return frames | unread.keys()
    for path, why in unread.items():
        log.warning("%s: left out: %s (give it as an INPUT to see it as a clip)", path, why)
    return frames


def _look(path: str) -> tuple[bool, int]:
    from sbtools.video.archive import look

    return look(path)
