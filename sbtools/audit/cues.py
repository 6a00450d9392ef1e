"""The cues: parts of a clip that stand still, and what each is read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sbtools.errors import ClipError, DamagedError, UsageError
from sbtools.evaluate import choice, views
from sbtools.records import Record
from sbtools.store import StoredClip, Stores


@dataclass(frozen=True)
class Cue:
    """A cue by what a reader calls it, as in "from TITLE alone".

    view: of `sbtools.evaluate.views`, whose features are probed; "" for scores of scenes. floor: a
    view of all that `view` shows beside the cue: the holes that people leave in it, or clothes in
    drawn colours, of which more or less is to be seen in each pose.
    """

    title: str
    view: str = ""
    floor: str = ""


CUES = {
    "frame": Cue("one frame", "static"),
    "background": Cue("the background", "scene", "scene-hole"),
    "objects": Cue("the objects", "objects", "objects-hole"),
    "clothes": Cue("the clothes", "clothes", "clothes-restyled"),
    "scene": Cue("the kind of scene"),
}
"""Name -> cue, in the order in which they are told."""

SCENES = ("scene_scores", "scene")
NO_OBJECTS = "the masks have no objects (sbtools detect --object NAME finds them)"
NO_SCENES = "{} of {} clips have no scene_scores, and {} no scene (sbtools scenes makes them)"


def asked_for(text: str | None) -> list[str]:
    """The names in "A,B", in the order of the table, all for None; UsageError for another."""
    if text is None:
        return list(CUES)
    wanted = [name.strip() for name in text.split(",")]
    strange = [name for name in wanted if name not in CUES]
    if strange:
        raise UsageError(f"there is no cue '{strange[0]}'; the cues are {', '.join(CUES)}")
    return [name for name in CUES if name in wanted]


def lacking(names: Sequence[str], records: Sequence[Record], root: str) -> dict[str, str]:
    """Why cues cannot be looked at, by name: what the records lack, and what makes it.

    UsageError where a store of masks cannot be opened.
    """
    told: dict[str, str] = {}
    seen = {name: views.build(CUES[name].view) for name in names if CUES[name].view}
    if seen:
        first = next((record for record in records if "masks" in record), None)
        pixels = any("pixels" in record for record in records)
        brought = choice.look(len(records), first, pixels, root)
        told = {name: why for name, view in seen.items() if (why := choice.lacking(view, brought))}
        if "objects" in seen and "objects" not in told and not _objects(records, root):
            told["objects"] = NO_OBJECTS
    if "scene" in names and scene_field(records) is None:
        scores, scenes = (sum(name not in record for record in records) for name in SCENES)
        told["scene"] = NO_SCENES.format(scores, len(records), scenes)
    return told


def scene_field(records: Sequence[Record]) -> str | None:
    """Which of `SCENES` all clips have, the first of both; None where they have neither."""
    return next((name for name in SCENES if all(name in record for record in records)), None)


def _shows_objects(clip: StoredClip) -> bool:
    """Whether a clip has an object in any frame."""
    places = range(len(clip.frames)) if "object" in clip.datasets else ()
    return any(clip.mask("object", place).any() for place in places)


def _objects(records: Sequence[Record], root: str) -> bool:
    """Whether any of the masks is one of objects."""
    stores = Stores(root)
    try:
        return any(_shows_objects(stores.clip(r["masks"])) for r in records if "masks" in r)
    except (ClipError, DamagedError) as error:
        raise UsageError(str(error)) from None
    finally:
        stores.close()
