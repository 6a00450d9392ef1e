"""Masks of the clip, of its boxes, and of another clip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sbtools.errors import ClipError, DamagedError, UsageError
from sbtools.loader.needs.base import Brought, Need, Record
from sbtools.pool.task import out_of_memory

if TYPE_CHECKING:
    from sbtools.loader.excerpt import Excerpt


class Masks(Need):
    """person, object: bool [B, T, H, W], True where one is."""

    fields = ("masks",)
    planes: tuple[str, ...] = ("person", "object")

    def refuse(self, record: Record) -> str | None:
        if "pixels" in record:
            return (
                "is masked already (field pixels), and the method masks clips itself: give the "
                "records of sbtools segment"
            )
        return None if "masks" in record else "has no masks: run sbtools segment first"


class Boxes(Masks):
    """person_box, object_box: bool [B, T, H, W], True inside the boxes that were detected.

    min_score  boxes below this score, 0 to 1, are left out
    """

    planes = ("person_box", "object_box")

    def __init__(self, min_score: float = 0.0) -> None:
        if not 0 <= min_score <= 1:
            raise UsageError(f"boxes have scores of 0 to 1: min_score is not {min_score:g}")
        self.min_score = min_score


class Other(Masks):
    """other_person ...: the masks of another clip, in this clip's geometry; of masks, of boxes, or
    of both, as they are needed besides."""

    planes = ()
    others = True

    def bring(self, clip: Excerpt, facts: Any) -> Brought:
        for record in clip.others("other"):
            try:
                found = clip.masks_of(record)
            except (ClipError, DamagedError) as error:
                if out_of_memory(error):
                    raise
                continue
            return {f"other_{name}": mask for name, mask in found.items()}
        raise ClipError("missing", "no other clip with masks was found to take them from")
