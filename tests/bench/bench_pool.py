"""The pool: shared memory against the socket, clips a second, and two workers against one.

Prints one JSON object a line; the figures of one run may be compared with one another.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from sbtools.pool import CHUNK_BYTES, run
from sbtools.pool.task import Task

HERE = Path(__file__).parent
FRAME = np.zeros((720, 1280, 3), np.uint8)


def frames(chunks: int, per_chunk: int) -> Task:
    """A clip of 720p frames that cost nothing to make."""
    made = np.stack([FRAME] * per_chunk)

    def task(item: Any) -> Iterator[Any]:
        for _ in range(chunks):
            yield made

    return task


def small() -> Task:
    def task(item: int) -> Iterator[Any]:
        yield {"frames": item, "fps": 25.0}

    return task


def work(seconds: float) -> Task:
    """A clip that takes this much processor time and gives two frames' masks."""

    def task(item: int) -> Iterator[Any]:
        end = time.process_time() + seconds
        while time.process_time() < end:
            np.sort(FRAME[:64].ravel())
        yield np.zeros((2, 720, 160), np.uint8)

    return task


def consume(clips: int, factory: str, kwargs: dict[str, Any], workers: int) -> tuple[float, int]:
    """Seconds from the first clip to the last, and bytes of arrays."""
    total, began = 0, None
    for entry in run(range(clips + 1), f"bench_pool:{factory}", kwargs, workers):
        if entry is None:
            continue
        for chunk in entry[1]:
            total += getattr(chunk, "nbytes", 0) if began else 0
        began = began or time.perf_counter()
    assert began is not None
    return time.perf_counter() - began, total


def transport() -> None:
    per_chunk = CHUNK_BYTES // FRAME.nbytes
    kwargs = {"chunks": 60, "per_chunk": per_chunk}
    for workers in (1, 2):
        rates = {}
        for name in ("shared memory", "socket"):
            with no_shared_memory() if name == "socket" else nullcontext():
                seconds, size = consume(10, "frames", kwargs, workers)
            rates[name] = size / seconds / 2**20
            show("transport", through=name, workers=workers, mib_per_s=round(rates[name]))
        show(
            "transport ratio",
            workers=workers,
            shared_to_socket=round(rates["shared memory"] / rates["socket"], 2),
        )


def no_shared_memory() -> AbstractContextManager[Any]:
    return mock.patch("sbtools.pool.memory.create", return_value=None)


def clips() -> None:
    for workers in (0, 1, 2):
        seconds, _ = consume(3000, "small", {}, workers)
        show("small clips", workers=workers, clips_per_s=round(3000 / seconds))


def scale() -> None:
    took = {n: consume(200, "work", {"seconds": 0.02}, n)[0] for n in (1, 2)}
    show("scale", clips=200, ms_per_clip=20, two_to_one=round(took[1] / took[2], 2))


def show(what: str, **figures: Any) -> None:
    print(json.dumps({"bench": "pool", "what": what, **figures}), flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    transport()
    clips()
    scale()
