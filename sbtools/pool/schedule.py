"""Items in, chunks out, in the order of the items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from sbtools.errors import UsageError
from sbtools.pool.inprocess import in_process
from sbtools.pool.pool import TICK_SECONDS, Pool

T = TypeVar("T")


def never() -> bool:
    """The `stop` of a run that nothing stops."""
    return False


def none(item: Any) -> bool:
    """The `bypass` of a run in which every item needs work."""
    return False


def run(
    items: Iterable[T],
    factory: str,
    kwargs: Mapping[str, Any] | None = None,
    workers: int = 1,
    timeout: float | None = None,
    stop: Callable[[], bool] = never,
    bypass: Callable[[T], bool] = none,
) -> Iterator[tuple[T, Iterator[Any]] | None]:
    """Works on items in worker processes, and gives each item with its chunks, in order.

    factory: "module:attribute"; called with kwargs once in each worker, it returns the task. A
        task is called with an item and gives chunks: anything that pickles. Arrays travel through
        shared memory; a chunk is best kept within CHUNK_BYTES.
    items: iterated in a thread of its own, a few ahead of the workers. What it raises is raised
        here after the items before it. An item must pickle.
    workers: processes; 0 works in this one, with the same results but no time limit.
    timeout: seconds that a worker may spend on one item.
    stop: asked several times a second; once true no item is taken any more, those that are being
        worked on are finished, and the iteration ends.
    bypass: says of an item that it needs no work; it comes out in its place, without chunks.

    While nothing is ready it gives None about once a second. The chunks of an item are to be
    iterated before the next item is asked for; what is left of them then is discarded. They raise
    what the task raised: ClipError and every other SbtoolsError as itself, any other exception as
    ClipError "failed" ("memory" for MemoryError), from a WorkerTraceback. A worker that dies is
    ClipError "died", one that takes too long ClipError "timeout"; it is replaced. A factory that
    fails, or workers that die as they start, raise SbtoolsError here. Closing the iterator kills
    the workers at once.
    """
    if workers < 0:
        raise UsageError(f"the number of workers must not be negative, but is {workers}")
    if workers == 0:
        return in_process(items, factory, kwargs or {}, stop, bypass, TICK_SECONDS)
    return _results(
        lambda: Pool(items, factory, dict(kwargs or {}), workers, timeout, stop, bypass)
    )


def _results(make: Callable[[], Pool[T]]) -> Iterator[tuple[T, Iterator[Any]] | None]:
    pool = make()
    try:
        while not pool.ended:
            job = pool.next_job(TICK_SECONDS)
            if job is not None:
                yield job.item, pool.chunks(job)
                pool.abandon(job)
            elif not pool.ended:
                yield None
    finally:
        pool.close()
