"""The pool without worker processes: the same interface, for debugging and for one clip."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NoReturn, TypeVar

from sbtools.errors import SbtoolsError
from sbtools.pool.feeder import Feeder
from sbtools.pool.task import Task, clip_error, make, out_of_memory, start_error, twice

T = TypeVar("T")

POLL_SECONDS = 0.2


def in_process(
    items: Iterable[T],
    factory: str,
    kwargs: Mapping[str, Any],
    stop: Callable[[], bool],
    bypass: Callable[[T], bool],
    tick_seconds: float,
) -> Iterator[tuple[T, Iterator[Any]] | None]:
    """As `sbtools.pool.run` with workers = 0: no time limit, and a crash is the caller's own."""
    arrived = threading.Event()
    feeder = Feeder(items, 1, arrived.set)
    task: Task | None = None
    ticked = time.monotonic()
    try:
        while not stop():
            arrived.clear()
            if len(feeder):
                item = feeder.take()
                if bypass(item):
                    yield item, iter(())
                else:
                    task = task or _make(factory, kwargs)
                    yield item, _chunks(task, item)
                ticked = time.monotonic()
            elif feeder.ended:
                if feeder.error is not None:
                    raise feeder.error
                return
            elif time.monotonic() - ticked >= tick_seconds:
                yield None
                ticked = time.monotonic()
            else:
                arrived.wait(POLL_SECONDS)
    finally:
        feeder.close()


def _make(factory: str, kwargs: Mapping[str, Any]) -> Task:
    try:
        return make(factory, kwargs)
    except SbtoolsError:
        raise
    except Exception as error:
        raise start_error(error) from error


def _chunks(task: Task, item: Any) -> Iterator[Any]:
    """The chunks of an item; where memory is short it is tried once more, as the pool does it.

    It is alone here already. What the first try took, and what only waits to be collected, is let
    go before the second; the task itself, with its model, stays.
    """
    given = 0
    try:
        for chunk in task(item):
            given += 1
            yield chunk
        return
    except Exception as error:
        if not out_of_memory(clip_error(error)):
            _raise(error)
    gc.collect()
    try:
        yield from islice(task(item), given, None)
    except Exception as error:
        if out_of_memory(clip_error(error)):
            raise twice(clip_error(error)) from error
        _raise(error)


def _raise(error: Exception) -> NoReturn:
    """What an error of a task means, as the caller is to see it."""
    if isinstance(error, SbtoolsError):
        raise error
    raise clip_error(error) from error
