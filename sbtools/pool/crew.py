"""The workers of one run, and the thread that attends to them."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Generic, TypeVar

from sbtools.errors import ClipError, SbtoolsError
from sbtools.pool import wire
from sbtools.pool.alone import Alone
from sbtools.pool.feeder import Feeder
from sbtools.pool.jobs import Chunk, Job
from sbtools.pool.memory import Buffers
from sbtools.pool.process import Worker
from sbtools.pool.task import WorkerTraceback

T = TypeVar("T")

BUFFER_BYTES = 64 << 20
"""Results of later items that wait for an earlier one; beyond it the workers wait."""

WINDOW = 1024
AHEAD = 8
TICK_SECONDS = 1.0
POLL_SECONDS = 0.1
START_ATTEMPTS = 3


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
        self._factory, self._kwargs = factory, kwargs
        self._limit, self._timeout = workers, timeout
        self._stop, self._bypass = stop, bypass
        self._changed = threading.Condition()
        self._jobs: deque[Job[T]] = deque()
        self._workers: dict[Worker, Job[T] | None] = {}
        self._held: deque[Chunk] = deque()
        self._buffers = Buffers(BUFFER_BYTES)
        self._bytes = 0
        self._alone = Alone()
        self._failed_starts = 0
        self._failure: BaseException | None = None
        self._closed = False
        self.ended = False
        self._attended = time.monotonic()
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._feeder = Feeder(items, workers + AHEAD, self._wake)
        self._thread = threading.Thread(target=self._attend, name="sbtools-pool", daemon=True)
        self._thread.start()

    # What the consumer calls.

    def next_job(self, seconds: float) -> Job[T] | None:
        """The next item in order once its results can be had, None after so many seconds."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not (self._jobs and self._jobs[0].presentable):
                self._raise_failure()
                if not self._jobs and self._feeder.ended:
                    self._end()
                    return None
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(left)
            job = self._jobs.popleft()
            self._bytes -= job.size
            return job

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
            while job.chunks:
                self._forget(job).drop()
        self._wake()

    def close(self) -> None:
        """Kills the workers; no process is left when this returns."""
        with self._changed:
            self._closed = True
            self._feeder.close()
        self._wake()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.kill()
        self._selector.close()
        self._bell.close()
        self._ear.close()

    def _end(self) -> None:
        self.ended = True
        if self._feeder.error is not None:
            raise self._feeder.error

    def _next_chunk(self, job: Job[T]) -> Chunk | None:
        with self._changed:
            while not (job.chunks or job.ended or job.abandoned):
                self._raise_failure()
                self._changed.wait(TICK_SECONDS)
            if not job.chunks:
                return None
            chunk = self._forget(job)
            chunk.release()
        self._wake()
        return chunk

    def _forget(self, job: Job[T]) -> Chunk:
        chunk = job.chunks.popleft()
        job.waiting_bytes -= chunk.size
        if chunk.body is not None:
            self._bytes -= chunk.size
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
        self._relieve()
        self._watch_time()
        if self._stop():
            self._feeder.close()
        self._give_out()
        self._hire()

    def _listen(self, worker: Worker) -> None:
        try:
            message = worker.receive()
        except EOFError:
            self._lost(worker)
            return
        if message is None:
            return
        if message.kind == "ready":
            worker.ready = True
            self._failed_starts = 0
        elif message.kind == "fatal":
            error, traceback = message.value()
            raise error from WorkerTraceback(traceback)
        else:
            self._result(worker, message)

    def _result(self, worker: Worker, message: wire.Message) -> None:
        job = self._workers[worker]
        if job is None:
            return
        if message.kind == "chunk":
            self._arrived(job, Chunk(message, worker, self._buffers))
            return
        self._workers[worker] = None
        job.ended = True
        if message.kind == "error":
            job.fail(*message.value())
            if isinstance(job.error, ClipError) and job.error.kind == "memory":
                self._dismiss(worker)
                self._try_again(job)

    def _try_again(self, job: Job[T]) -> None:
        """Once, and only while the consumer has had nothing of it."""
        bodies = sum(chunk.size for chunk in job.chunks if chunk.body is not None)
        if job in self._jobs and self._alone.take(job):
            self._bytes -= bodies

    def _arrived(self, job: Job[T], chunk: Chunk) -> None:
        if job.abandoned:
            chunk.drop()
            return
        job.chunks.append(chunk)
        job.waiting_bytes += chunk.size
        if chunk.body is not None:
            self._bytes += chunk.size
        self._held.append(chunk)

    def _relieve(self) -> None:
        """Takes chunks out of the workers' slots, as far as there is room."""
        while self._held and self._bytes < BUFFER_BYTES:
            chunk = self._held.popleft()
            if chunk.held:
                in_slot = chunk.body is None
                chunk.release()
                self._bytes += chunk.size if in_slot else 0

    def _watch_time(self) -> None:
        now = time.monotonic()
        passed, self._attended = min(now - self._attended, 1.0), now
        if self._timeout is None:
            return
        for worker, job in list(self._workers.items()):
            if job is None or worker.held:
                continue
            worker.busy_seconds += passed
            if worker.busy_seconds > self._timeout:
                job.fail(ClipError("timeout", f"took longer than {self._timeout:g} s"))
                self._dismiss(worker)

    def _give_out(self) -> None:
        idle = [worker for worker, job in self._workers.items() if worker.ready and job is None]
        self._let_pass()
        if self._alone.busy:
            self._give_alone(idle)
            return
        while idle and self._has_work():
            job = Job(self._feeder.take())
            self._jobs.append(job)
            self._give(idle.pop(), job)
            self._bytes += job.size
            self._let_pass()

    def _give(self, worker: Worker, job: Job[T]) -> None:
        self._workers[worker] = job
        worker.busy_seconds = 0.0
        job.tries += 1
        job.size = worker.send("item", job.item)

    def _give_alone(self, idle: list[Worker]) -> None:
        """Let the others go when they are done; then what ran out of memory has its turn."""
        own = self._alone.worker
        for worker in idle:
            if worker is not own:
                self._dismiss(worker)
        if own in idle and self._alone.waiting and self._others_rest():
            self._give(own, self._alone.next())

    def _others_rest(self) -> bool:
        """Whether no other worker computes; one that waits for room may wait for this very item."""
        full = self._bytes >= BUFFER_BYTES and self._jobs[0] in self._alone.waiting
        own = self._alone.worker
        return full or all(job is None for w, job in self._workers.items() if w is not own)

    def _let_pass(self) -> None:
        """Items that need no work take their place in the order, without a worker."""
        while self._has_work() and self._bypass(self._feeder.first()):
            self._jobs.append(Job(self._feeder.take(), ended=True))

    def _has_work(self) -> bool:
        return len(self._feeder) > 0 and self._bytes < BUFFER_BYTES and len(self._jobs) < WINDOW

    def _hire(self) -> None:
        """Starts workers for the items that wait, not before."""
        if self._alone.busy:
            if self._alone.worker is None and self._others_rest():
                before = len(self._workers)
                self._start(1)
                if len(self._workers) > before:
                    self._alone.worker = next(reversed(self._workers))
            return
        if not self._has_work() or self._bypass(self._feeder.first()):
            return
        wanted = len(self._feeder) - sum(not worker.ready for worker in self._workers)
        self._start(min(wanted, self._limit - len(self._workers)))

    def _start(self, count: int) -> None:
        for _ in range(count):
            try:
                worker = Worker(self._factory, self._kwargs)
            except OSError as error:
                self._limit = len(self._workers)
                if not self._workers:
                    raise SbtoolsError(f"no worker process can be started: {error}") from error
                return
            self._workers[worker] = None
            self._selector.register(worker, selectors.EVENT_READ)

    def _lost(self, worker: Worker) -> None:
        job, words = self._workers[worker], worker.last_words()
        self._dismiss(worker)
        if job is not None:
            job.fail(ClipError("died", f"the worker {words}"))
        elif not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= START_ATTEMPTS:
                raise SbtoolsError(f"workers end as they start: the last one {words}")

    def _dismiss(self, worker: Worker) -> None:
        self._selector.unregister(worker)
        del self._workers[worker]
        if worker is self._alone.worker:
            self._alone.worker = None
        worker.kill()

    def _wake(self) -> None:
        with suppress(OSError):
            self._bell.send(b"\0")
