"""The pool without worker processes: the same interface, for debugging and for one clip."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from sbtools.errors import SbtoolsError
from sbtools.pool.feeder import Feeder
from sbtools.pool.task import Task, clip_error, make, start_error

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
    try:
        yield from task(item)
    except SbtoolsError:
        raise
    except Exception as error:
        raise clip_error(error) from error
