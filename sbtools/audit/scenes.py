"""Scores of scenes as features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sbtools.errors import ClipError, DamagedError, UsageError
from sbtools.loader.needs.scene import names_of, scores_of
from sbtools.records import Record, fail
from sbtools.store import Stores
from sbtools.store.layout import split_address

LEAST = 1e-6
"""A share below it counts as it: the logarithm of 0 is none."""

Row = NDArray[np.float32]


def scene_features(
    records: Sequence[Record], field: str, root: str
) -> Iterator[tuple[Record, Row | None]]:
    """Each record with float32 [S]: 1 at its `scene`, or the logarithms of its `scene_scores`.

    A record whose scores cannot be read, or are no shares of 0 to 1, comes with an error and None.
    UsageError for scores of two lists of scenes.
    """
    if field == "scene":
        names = sorted({str(record["scene"]) for record in records})
        one_hot = np.eye(len(names), dtype=np.float32)
        yield from ((r, one_hot[names.index(str(r["scene"]))]) for r in records)
        return
    scores = _Scores(root)
    for record in records:
        try:
            yield record, scores.logarithms(record)
        except (ClipError, DamagedError) as error:
            kind = error.kind if isinstance(error, ClipError) else "damaged"
            yield fail(record, "audit", ClipError(kind, str(error))), None
    scores.stores.close()


class _Scores:
    """Scores of one list of scenes, from records or stores."""

    def __init__(self, root: str) -> None:
        self.stores = Stores(root)
        self.names: dict[str, list[str]] = {}

    def logarithms(self, record: Record) -> Row:
        """Float32 [S]; ClipError for what is no shares, UsageError for those of other scenes."""
        shares = scores_of(record, self.stores)
        self._require_same(record, len(shares))
        if not ((shares >= 0) & (shares <= 1)).all():
            raise ClipError("invalid", "its scene_scores are no shares of 0 to 1")
        found: Row = np.log(np.maximum(shares, LEAST))
        return found

    def _require_same(self, record: Record, count: int) -> None:
        told = record["scene_scores"]
        place = split_address(told)[0] if isinstance(told, str) else f"{count} in the records"
        if place not in self.names:
            self.names[place] = names_of(record, self.stores)
            if self.names[place] != next(iter(self.names.values())):
                raise UsageError(
                    f"clip {record['id']!a}: its scene_scores are of other scenes than those "
                    "before it: run one `sbtools scenes` over all clips"
                )
