"""Videos of the same clip that were made elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sbtools.errors import UsageError
from sbtools.loader.needs.base import Need, Record
from sbtools.store import Stores


class Alternatives(Need):
    """In training the frames of a clip are, now and then, those of one of its `alternatives`: the
    same frame numbers of another video, whose size may differ; masks are stretched to it.

    p  how often, 0 to 1; each of them is as likely as the others
    """

    fields = ("alternatives",)

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise UsageError(f"alternatives are drawn with a probability of 0 to 1, not {p:g}")
        self.p = p

    def refuse(self, record: Record) -> str | None:
        if record.get("alternatives") and "pixels" in record:
            return "has alternatives, and its frames are in a store: give records without pixels"
        return None

    def collect(self, found: int | None, record: Record, stores: Stores) -> int:
        return (found or 0) + bool(record.get("alternatives"))

    def facts(self, found: int) -> None:
        """UsageError where no clip has any."""
        if not found:
            raise UsageError(
                "no record has the field alternatives, which the method needs: a list of videos "
                "made of the same clip"
            )

    def instead(self, record: Record, draw: np.random.Generator) -> Record:
        there: Sequence[str] = record.get("alternatives", ())
        if not there or draw.random() >= self.p:
            return record
        shown = {name: value for name, value in record.items() if name != "arrays"}
        return {**shown, "video": there[int(draw.integers(len(there)))]}
