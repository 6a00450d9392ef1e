"""Videos of the same clips in another style, made elsewhere: found by the ids of clips."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from sbtools.errors import ClipError, UsageError
from sbtools.index import folder
from sbtools.records import Record, fail

log = logging.getLogger("sbtools")
OWN = ("arrays", "masks")
"""Fields that are of the pixels of a record's own video."""


def styled(incoming: Iterable[Record], place: str, root: str) -> Iterator[Record]:
    """The records with the videos of `place`, a folder, in place of their own.

    A clip's video there is what `sbtools index` would give its id: a file, a zip or a folder of
    frames. A clip without one leaves with an error. UsageError where no clip has one, and for
    clips of masked pixels.
    """
    if not os.path.isdir(place):
        raise UsageError(f"--style-dir {place}: there is no such folder")
    there = {
        made["id"]: made for made in folder.to_records(folder.find([place]), Path(root), "none")
    }
    seen = found = masks = 0
    for record in incoming:
        if "error" in record:
            yield record
            continue
        seen += 1
        made = _in_style(record, there.get(record["id"]), place)
        found += "error" not in made
        masks += "masks" in record
        yield made
    if seen and not found:
        raise UsageError(
            f"--style-dir {place}: none of {seen} clips is there; the clip walk/park is its file "
            "walk/park.mp4, or a folder of frames walk/park"
        )
    if masks:
        log.warning("--style-dir: masks are of other videos and are ignored: frames are "
                    "chosen among all of a clip")  # fmt: skip


def _in_style(record: Record, made: Record | None, place: str) -> Record:
    if "pixels" in record:
        raise UsageError(
            f"clip {record['id']!a} is of pixels in a store, which --style-dir would not show: "
            "give the records from before `sbtools mask`"
        )
    if made is None:
        text = f"there is no video of the clip under {place}: name it as the id"
        return fail(record, "features", ClipError("missing", text))
    if "error" in made:
        flaw = made["error"]
        return fail(record, "features", ClipError(flaw["kind"], flaw["message"]))
    kept = {name: value for name, value in record.items() if name not in OWN}
    return {**kept, "video": made["video"]}
