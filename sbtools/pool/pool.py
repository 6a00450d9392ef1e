"""The workers of one run, and the thread that attends to them."""

from __future__ import annotations

import atexit
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Generic, TypeVar

from sbtools.errors import ClipError
from sbtools.pool import wire
from sbtools.pool.again import SecondTries
from sbtools.pool.feeder import Feeder
from sbtools.pool.jobs import Chunk, Job
from sbtools.pool.process import Worker
from sbtools.pool.room import Room
from sbtools.pool.staff import Staff
from sbtools.pool.task import WorkerTraceback, out_of_memory

T = TypeVar("T")

WINDOW = 1024
AHEAD = 8
TICK_SECONDS = 1.0
POLL_SECONDS = 0.1


class Pool(Generic[T]):
    """The workers, and a thread that attends to them whatever the consumer is busy with.

    Everything here is guarded by one lock, `_changed`.
    """

    def __init__(
        self,
        items: Iterable[T],
        factory: str,
        kwargs: dict[str, Any],
        workers: int,
        timeout: float | None,
        stop: Callable[[], bool],
        bypass: Callable[[T], bool],
    ) -> None:
        self._timeout = timeout
        self._stop, self._bypass = stop, bypass
        self._changed = threading.Condition()
        self._jobs: deque[Job[T]] = deque()
        self._given: Job[T] | None = None
        self._room = Room()
        self._failure: BaseException | None = None
        self._closed = False
        self.ended = False
        self._attended = time.monotonic()
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._staff: Staff[T] = Staff(factory, kwargs, workers, self._selector)
        self._again = SecondTries(self._staff)
        self._feeder = Feeder(items, workers + AHEAD, self._wake)
        self._thread = threading.Thread(target=self._attend, name="sbtools-pool", daemon=True)
        self._thread.start()
        # An interpreter that ends kills the thread, maybe with the lock in its hands, before it
        # collects a generator that was left open, whose `finally` then waits for ever.
        atexit.register(self.close)

    # What the consumer calls.

    def next_job(self, seconds: float) -> Job[T] | None:
        """The next item in order once its results can be had, None after so many seconds."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not self._presentable():
                self._raise_failure()
                if not self._jobs and self._feeder.ended:
                    self._end()
                    return None
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(left)
            self._given = self._jobs.popleft()
            self._room.bytes -= self._given.size
            return self._given

    def chunks(self, job: Job[T]) -> Iterator[Any]:
        """The chunks of an item, then what its task raised."""
        while (chunk := self._next_chunk(job)) is not None:
            yield chunk.value()
        if job.error is not None and not job.abandoned:
            raise job.error from (WorkerTraceback(job.traceback) if job.traceback else None)

    def abandon(self, job: Job[T]) -> None:
        """Discards what is left of an item."""
        with self._changed:
            job.abandoned = True
            self._given = None
            while job.chunks:
                self._room.forget(job).drop()
        self._wake()

    def close(self) -> None:
        """Kills the workers; no process is left when this returns. A second time does nothing."""
        if self._closed:
            return
        atexit.unregister(self.close)
        with self._changed:
            self._closed = True
            self._feeder.close()
        self._wake()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        self._staff.close()
        self._selector.close()
        self._bell.close()
        self._ear.close()

    def _end(self) -> None:
        self.ended = True
        if self._feeder.error is not None:
            raise self._feeder.error

    def _presentable(self) -> bool:
        """Whether the first item can be given; what is full has no room for more of its chunks."""
        if not self._jobs:
            return False
        return self._jobs[0].presentable or (self._room.full and bool(self._jobs[0].chunks))

    def _next_chunk(self, job: Job[T]) -> Chunk | None:
        with self._changed:
            while not (job.chunks or job.ended or job.abandoned):
                self._raise_failure()
                self._changed.wait(TICK_SECONDS)
            if not job.chunks:
                return None
            chunk = self._room.forget(job)
            chunk.release()
        self._wake()
        return chunk

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    # What the thread does.

    def _attend(self) -> None:
        try:
            while not self._closed:
                events = self._selector.select(POLL_SECONDS)
                with self._changed:
                    if not self._closed:
                        self._turn([key.fileobj for key, _ in events])
                        self._changed.notify_all()
        except BaseException as error:
            with self._changed:
                self._failure = error
                self._feeder.close()
                self._changed.notify_all()

    def _turn(self, ready: list[Any]) -> None:
        for source in ready:
            if isinstance(source, Worker):
                self._listen(source)
            else:
                self._ear.recv(4096)
        self._room.relieve()
        self._watch_time()
        if self._stop():
            self._feeder.close()
        self._let_pass()
        if self._again.busy:
            self._again.go_on(self._room.full, self._given or next(iter(self._jobs), None))
        else:
            self._give_out()
            self._hire()

    def _listen(self, worker: Worker) -> None:
        try:
            message = worker.receive()
        except EOFError:
            self._staff.lost(worker)
            return
        if message is None:
            return
        if message.kind == "ready":
            self._staff.ready(worker)
        elif message.kind == "fatal":
            error, traceback = message.value()
            raise error from WorkerTraceback(traceback)
        else:
            self._result(worker, message)

    def _result(self, worker: Worker, message: wire.Message) -> None:
        job = self._staff.job_of(worker)
        if job is None:
            return
        if message.kind == "chunk":
            self._room.arrived(job, Chunk(message, worker, self._room.buffers))
            return
        self._staff.rest(worker)
        if message.kind == "error":
            job.fail(*message.value())
        else:
            job.end()
        if out_of_memory(job.error):
            self._staff.dismiss(worker)
            self._again.take(job)

    def _watch_time(self) -> None:
        now = time.monotonic()
        passed, self._attended = min(now - self._attended, 1.0), now
        if self._timeout is None:
            return
        for worker, job in self._staff.busy:
            if worker.held:
                continue
            worker.busy_seconds += passed
            if worker.busy_seconds > self._timeout:
                job.fail(ClipError("timeout", f"took longer than {self._timeout:g} s"))
                self._staff.dismiss(worker)

    def _give_out(self) -> None:
        idle = self._staff.idle
        while idle and self._has_work():
            job = Job(self._feeder.take())
            self._jobs.append(job)
            self._staff.give(idle.pop(), job)
            self._room.bytes += job.size
            self._let_pass()

    def _let_pass(self) -> None:
        """Items that need no work take their place in the order, without a worker."""
        while self._has_work() and self._bypass(self._feeder.first()):
            self._jobs.append(Job(self._feeder.take(), ended=True))

    def _has_work(self) -> bool:
        return len(self._feeder) > 0 and not self._room.full and len(self._jobs) < WINDOW

    def _hire(self) -> None:
        """Starts workers for the items that wait, not before."""
        if self._has_work() and not self._bypass(self._feeder.first()):
            self._staff.hire(len(self._feeder) - self._staff.starting)

    def _wake(self) -> None:
        with suppress(OSError):
            self._bell.send(b"\0")
