"""Scenes that the records name themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from sbtools.errors import UsageError
from sbtools.records import Record
from sbtools.scenes.base import Scorer, Scores, Shown
from sbtools.scenes.names import listed


class OfRecord(Scorer):
    """1 for the scene that the record names, 0 for the others; no video is opened.

    names  a file of the scenes; without it they are those of all records of the input, sorted
    """

    name = "record"

    def __init__(self, names: str = "") -> None:
        self.file = names
        self.gathers = not names
        self._places: dict[str, int] = {}

    @property
    def names(self) -> list[str]:
        return list(self._known)

    @property
    def _known(self) -> dict[str, int]:
        if not self._places and self.file:
            self._take(listed(self.file))
        return self._places

    def gather(self, records: Iterable[Record]) -> None:
        found = {record["scene"] for record in records if record.get("scene") is not None}
        if not found:
            raise UsageError(
                "no record of the input has a scene: --scorer places365 or clip finds it"
            )
        self._take(sorted(found))

    def _take(self, found: list[str]) -> None:
        self._places = {name: place for place, name in enumerate(found)}

    def refuse(self, record: Record) -> str | None:
        if record.get("scene") is None:
            return "the record has no scene: --scorer places365 or clip finds it"
        if record["scene"] not in self._known:
            return f"its scene {record['scene']!a} is not among the {len(self._known)} names"
        return None

    def score(self, clips: Sequence[Shown]) -> Scores:
        out = np.zeros((len(clips), len(self._known)), np.float32)
        for row, clip in zip(out, clips, strict=True):
            row[self._known[clip.record["scene"]]] = 1
        return out
