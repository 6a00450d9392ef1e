"""Clips on their way to the scorer, several at once, in the order in which they came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sbtools import work
from sbtools.errors import ClipError, SbtoolsError
from sbtools.job import Job
from sbtools.scenes.base import Scorer, Shown
from sbtools.work import Chunk, Chunks, Item, Work

MOST = 4096
"""Clips that wait at most, those among them that are only passed on."""


@dataclass
class Waiting:
    """A clip until its batch is scored: what a worker made of it, or why it has failed, or neither
    where it is passed on."""

    item: Item
    chunk: Chunk | None = None
    error: ClipError | None = None

    @property
    def shown(self) -> Shown:
        """As the scorer has it."""
        assert self.chunk is not None
        return Shown(self.item.record, self.chunk.get("image"))


class Batches:
    """Called as `work.run`; behind what a worker made of a clip stand its scores, as `scores`."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer, self.count = scorer, len(scorer.names)

    def __call__(
        self, items: Iterable[Item], task: Work, job: Job
    ) -> Iterator[tuple[Item, Chunks] | None]:
        """Clips wait for their batch, or for a moment in which nothing arrives."""
        waiting: list[Waiting] = []
        try:
            for got in work.run(items, task, job):
                if got is not None:
                    waiting.append(self._waiting(*got))
                ready = sum(one.chunk is not None for one in waiting)
                if got is None or ready in (0, self.scorer.batch) or len(waiting) == MOST:
                    yield from self._scored(waiting)
                    waiting = []
                if got is None:
                    yield None
        except SbtoolsError:
            yield from self._scored(waiting)
            raise
        yield from self._scored(waiting)

    def _waiting(self, item: Item, chunks: Chunks) -> Waiting:
        if item.again is not None:
            return Waiting(item)
        reason = self.scorer.refuse(item.record)
        if reason is not None:
            return Waiting(item, error=ClipError("missing", reason))
        try:
            (chunk,) = chunks
        except ClipError as error:
            return Waiting(item, error=error)
        return Waiting(item, chunk)

    def _scored(self, waiting: list[Waiting]) -> Iterator[tuple[Item, Chunks]]:
        rows = iter(self._rows([one.shown for one in waiting if one.chunk is not None]))
        for one in waiting:
            scores = next(rows) if one.chunk is not None else None
            failed = scores if isinstance(scores, ClipError) else one.error
            yield one.item, _raising(failed) if failed else iter([{**(one.chunk or {}),
                                                                   "scores": scores}])  # fmt: skip

    def _rows(self, clips: list[Shown]) -> list[Any]:
        """Scores float32 [S] of each, or why there are none."""
        if not clips:
            return []
        try:
            found = np.asarray(self.scorer.score(clips), np.float32)
        except ClipError as error:
            return [error] * len(clips)
        if found.shape != (len(clips), self.count):
            raise SbtoolsError(
                f"scorer {self.scorer.name} gives scores {list(found.shape)} for {len(clips)} "
                f"clips and {self.count} scenes"
            )
        odd = ClipError("failed", "the scores are not numbers")
        return [row if np.isfinite(row).all() else odd for row in found]


def _raising(error: ClipError) -> Chunks:
    raise error
    yield
