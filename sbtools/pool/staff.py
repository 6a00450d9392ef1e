"""The worker processes of a pool, and the item that each of them has."""

from __future__ import annotations

import selectors
from typing import Any, Generic, TypeVar

from sbtools.errors import ClipError, SbtoolsError
from sbtools.pool.jobs import Job
from sbtools.pool.process import Worker

T = TypeVar("T")

START_ATTEMPTS = 3


class Staff(Generic[T]):
    """Starts workers, gives them items and lets them go; `selector` hears what they send.

    limit: how many there may be; it sinks where the machine does not give more.
    """

    def __init__(
        self, factory: str, kwargs: dict[str, Any], limit: int, selector: selectors.BaseSelector
    ) -> None:
        self.limit = limit
        self._factory, self._kwargs = factory, kwargs
        self._selector = selector
        self._jobs: dict[Worker, Job[T] | None] = {}
        self._failed_starts = 0

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def idle(self) -> list[Worker]:
        """Workers that could begin an item now."""
        return [worker for worker, job in self._jobs.items() if worker.ready and job is None]

    @property
    def starting(self) -> int:
        """How many are not ready yet."""
        return sum(not worker.ready for worker in self._jobs)

    @property
    def busy(self) -> list[tuple[Worker, Job[T]]]:
        """Workers that have an item, and the item."""
        return [(worker, job) for worker, job in self._jobs.items() if job is not None]

    def start(self) -> None:
        """Start one; OSError where the machine gives no process."""
        worker = Worker(self._factory, self._kwargs)
        self._jobs[worker] = None
        self._selector.register(worker, selectors.EVENT_READ)

    def hire(self, count: int) -> None:
        """Start so many, or as many as can be had; SbtoolsError where not even one can."""
        for _ in range(min(count, self.limit - len(self))):
            try:
                self.start()
            except OSError as error:
                self.limit = len(self)
                if not self._jobs:
                    raise SbtoolsError(f"no worker process can be started: {error}") from error
                return

    def ready(self, worker: Worker) -> None:
        """It has made its task."""
        worker.ready = True
        self._failed_starts = 0

    def give(self, worker: Worker, job: Job[T]) -> None:
        """Send it an item."""
        self._jobs[worker] = job
        worker.busy_seconds = 0.0
        job.size = worker.send("item", job.item)

    def job_of(self, worker: Worker) -> Job[T] | None:
        """The item that it has."""
        return self._jobs[worker]

    def rest(self, worker: Worker) -> None:
        """It is done with its item."""
        self._jobs[worker] = None

    def lost(self, worker: Worker) -> None:
        """It has died: its item fails; SbtoolsError when several die as they start."""
        job, words = self._jobs[worker], worker.last_words()
        self.dismiss(worker)
        if job is not None:
            job.fail(ClipError("died", f"the worker {words}"))
        elif not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= START_ATTEMPTS:
                raise SbtoolsError(f"workers end as they start: the last one {words}")

    def dismiss(self, worker: Worker) -> None:
        """End its process; what it has given stays."""
        self._selector.unregister(worker)
        del self._jobs[worker]
        worker.kill()

    def close(self) -> None:
        """End all processes; none is left when this returns."""
        for worker in self._jobs:
            worker.terminate()
        for worker in self._jobs:
            worker.kill()
