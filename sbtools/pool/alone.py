"""Items that ran out of memory: each is tried once more, while no other item is worked on."""

from __future__ import annotations

from collections import deque
from typing import Any

from sbtools.errors import ClipError
from sbtools.pool.jobs import Job
from sbtools.pool.process import Worker


class Alone:
    """What waits for its second try, and `worker`, the one that it gets to itself.

    While `busy` nothing else is given out: the other workers end what they have, and are let go,
    so that their memory is free.
    """

    def __init__(self) -> None:
        self.waiting: deque[Job[Any]] = deque()
        self.worker: Worker | None = None
        self._running: Job[Any] | None = None

    @property
    def busy(self) -> bool:
        """Whether an item waits for its second try, or has it."""
        return bool(self.waiting) or (self._running is not None and not self._running.ended)

    def take(self, job: Job[Any]) -> bool:
        """Whether a job that failed for want of memory is to be tried again: once, that is."""
        if job.tries > 1:
            job.error = ClipError("memory", f"{job.error} (alone, too)")
            return False
        while job.chunks:
            job.chunks.popleft().drop()
        job.waiting_bytes, job.error, job.traceback, job.ended = 0, None, "", False
        self.waiting.append(job)
        return True

    def next(self) -> Job[Any]:
        """The job whose turn it is."""
        self._running = self.waiting.popleft()
        return self._running
