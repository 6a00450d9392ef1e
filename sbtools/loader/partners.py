"""Another clip for each clip, whatever the order of the records and the shard."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sbtools.loader.frame_source import Record


class Partners:
    """Draws among records by their ids, so that their order does not matter."""

    def __init__(self, records: Sequence[Record] | Any) -> None:
        ids = [record["id"] for record in records]
        self._records = records
        self._order = array("q", sorted(range(len(ids)), key=ids.__getitem__))

    def draw(self, id: str, draw: np.random.Generator, tries: int) -> Iterator[Record]:
        """`tries` records that are not the clip `id`, which is among them; none if it is alone."""
        count = len(self._order)
        own = bisect_left(self._order, id, key=lambda place: str(self._records[place]["id"]))
        for _ in range(tries if count > 1 else 0):
            step = 1 + int(draw.integers(count - 1))
            yield self._records[self._order[(own + step) % count]]
