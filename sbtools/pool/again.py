"""Items that ran out of memory: each is tried once more, while nothing else is worked on."""

from __future__ import annotations

import logging
from collections import deque
from typing import Generic, TypeVar

from sbtools.pool.jobs import Job
from sbtools.pool.staff import Staff
from sbtools.pool.task import out_of_memory, twice

T = TypeVar("T")
log = logging.getLogger("sbtools")


class SecondTries(Generic[T]):
    """What waits for its second try, in the order in which it failed.

    While `busy` nothing else is given out, so that the item has the memory of all others.
    """

    def __init__(self, staff: Staff[T]) -> None:
        self._staff = staff
        self._waiting: deque[Job[T]] = deque()
        self._running: Job[T] | None = None
        self._told = False

    @property
    def busy(self) -> bool:
        """Whether an item waits for its second try, or has it."""
        return bool(self._waiting) or self._is_running

    @property
    def _is_running(self) -> bool:
        return self._running is not None and not self._running.ended

    def take(self, job: Job[T]) -> None:
        """An item for which memory was short is to be tried again, once.

        What has come of it stays, and is left out of what comes of the second try: a task gives
        the same chunks whenever it is called with an item.
        """
        if job.abandoned or not out_of_memory(job.error):
            return
        if job is self._running:
            job.error = twice(job.error)
            return
        if not self._told:
            self._told = True
            log.warning(
                "memory was short: the clips that failed for it are tried again, one at a time"
            )
        job.begin_again()
        self._waiting.append(job)

    def go_on(self, full: bool, wanted: Job[T] | None) -> None:
        """Give the next one to a worker when the others are done; who is not needed is let go.

        full: whether workers wait for room. wanted: what the consumer has, or waits for.
        """
        idle = self._staff.idle
        for worker in idle[not self._is_running :]:
            self._staff.dismiss(worker)
        if self._is_running or not self._others_rest(full, wanted):
            return
        if idle:
            self._staff.give(idle[0], self._next(wanted))
        elif not self._staff.starting:
            self._start()

    def _others_rest(self, full: bool, wanted: Job[T] | None) -> bool:
        """Whether no worker computes; some may wait for room, which the wanted item will make."""
        stuck = full and wanted in self._waiting
        return all(stuck and worker.held for worker, _ in self._staff.busy)

    def _next(self, wanted: Job[T] | None) -> Job[T]:
        job = wanted if wanted is not None and wanted in self._waiting else self._waiting[0]
        self._waiting.remove(job)
        self._running = job
        return job

    def _start(self) -> None:
        """Where there is no process for a second try, what waits has failed as it had before."""
        try:
            self._staff.start()
        except OSError:
            while self._waiting:
                self._waiting.popleft().ended = True
