"""Whole records in memory, a line of JSON each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sbtools.records.parse import Record
from sbtools.records.stream import dump


class Lines(Sequence[Record]):
    """Records with all their fields, in about as many bytes as their text has."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._lines = [dump(record) for record in records]

    def append(self, record: Record) -> None:
        """Keep one more record."""
        self._lines.append(dump(record))

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [json.loads(line) for line in self._lines[place]]
        return json.loads(self._lines[place])
