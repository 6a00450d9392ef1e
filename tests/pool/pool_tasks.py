"""Tasks for the tests of the pool; workers import them as "pool_tasks:NAME"."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sbtools.errors import ClipError, DamagedError

Task = Callable[[Any], Iterator[Any]]


def square() -> Task:
    def task(item: int) -> Iterator[Any]:
        yield {"square": item * item, "pid": os.getpid()}

    return task


def arrays(size: int, chunks: int = 1) -> Task:
    """Chunks of `size` bytes whose content depends on item and chunk."""

    def task(item: int) -> Iterator[Any]:
        for number in range(chunks):
            rng = np.random.default_rng([item, number])
            yield number, rng.integers(0, 256, size, dtype=np.uint8)

    return task


def same_array(size: int, chunks: int) -> Task:
    data = np.zeros(size, np.uint8)

    def task(item: int) -> Iterator[Any]:
        for _ in range(chunks):
            yield data

    return task


def odd_arrays() -> Task:
    """Arrays that a careless transport would spoil."""

    def task(item: int) -> Iterator[Any]:
        base = np.arange(6_000_000, dtype=np.int32).reshape(2000, 3000)
        yield {
            "transposed": base.T,
            "strided": base[::7, ::-3],
            "empty": np.empty((0, 5), np.float32),
            "scalar": np.float64(0.1),
            "bool": base % 3 == 0,
            "text": "\udcff\n",
            "record": np.array([(1, 2.5)], dtype=[("frame", "i8"), ("score", "f4")]),
        }

    return task


def sleepy(seconds: dict[int, float]) -> Task:
    def task(item: int) -> Iterator[Any]:
        time.sleep(seconds.get(item, 0))
        yield item

    return task


def forgetful(log: str) -> Task:
    """Runs out of memory as often as the item says; notes when it begins and ends.

    Item c takes 5 s, unless item b gets its second try meanwhile.
    """

    def task(item: tuple[str, int]) -> Iterator[Any]:
        name, failures = item
        tries = noted(log, f"begin {name}")
        yield name
        until = time.monotonic() + (5 if name == "c" else 0.1)
        while time.monotonic() < until and (name != "c" or counted(log, "begin b") < 2):
            time.sleep(0.05)
        noted(log, f"end {name}")
        if tries <= failures:
            raise MemoryError
        yield "end"

    return task


def short_after(state: str, size: int, chunks: int) -> Task:
    """As `arrays`; the first try of an item has no memory for the last chunk."""

    def task(item: int) -> Iterator[Any]:
        first = not os.path.exists(f"{state}/{item}")
        open(f"{state}/{item}", "w").close()
        for number, chunk in enumerate(arrays(size, chunks)(item)):
            if first and number == chunks - 1:
                raise MemoryError
            yield chunk

    return task


def after_the_next(log: str, short: bool) -> Task:
    """12 chunks of 1 MiB; item 0 begins when item 1 has given more than there is room for.

    short: then it has no memory, once.
    """

    def task(item: int) -> Iterator[Any]:
        while item == 0 and counted(log, "from 1") < 3:
            time.sleep(0.05)
        if item == 0 and short and noted(log, "short") == 1:
            raise MemoryError
        for _ in range(12):
            noted(log, f"from {item}")
            yield bytes(1 << 20)

    return task


def noted(log: str, line: str) -> int:
    """How often it was noted, this time included."""
    with open(log, "a") as file:
        file.write(f"{line}\n")
    return counted(log, line)


def counted(log: str, line: str) -> int:
    try:
        with open(log) as file:
            return file.read().splitlines().count(line)
    except FileNotFoundError:
        return 0


def mischief() -> Task:
    """Does what the item says."""

    def task(item: Any) -> Iterator[Any]:
        name, *values = item if isinstance(item, (list, tuple)) else (item,)
        yield {"begins": name, "pid": os.getpid()}
        getattr(Mischief, name)(*values)

    return task


class Mischief:
    @staticmethod
    def well() -> None:
        pass

    @staticmethod
    def kill(number: int = signal.SIGKILL) -> None:
        os.kill(os.getpid(), number)
        time.sleep(60)

    @staticmethod
    def leave(status: int) -> None:
        os._exit(status)

    @staticmethod
    def sys_exit() -> None:
        sys.exit(4)

    @staticmethod
    def sleep(seconds: float) -> None:
        time.sleep(seconds)

    @staticmethod
    def type_error() -> None:
        len(5)  # type: ignore[arg-type]

    @staticmethod
    def clip_error() -> None:
        raise ClipError("truncated", "only 3 of 8 frames decode")

    @staticmethod
    def damaged() -> None:
        raise DamagedError("masks/00000.h5 is cut")

    @staticmethod
    def memory() -> None:
        limit = 1 << 30
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
        hold = []
        while True:
            hold.append(np.empty(64 << 20, np.uint8))

    @staticmethod
    def unsendable() -> None:
        raise Unsendable("a", "b")

    @staticmethod
    def chatter() -> None:
        sys.stdout.write("this must not reach the records\n")
        sys.stdout.flush()

    @staticmethod
    def interrupt() -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            os.kill(os.getpid(), number)
        time.sleep(0.2)


class Unsendable(Exception):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


def environment() -> Task:
    def task(item: str) -> Iterator[Any]:
        yield os.environ.get(item)

    return task


def cv2_threads() -> Task:
    def task(item: Any) -> Iterator[Any]:
        import cv2

        yield cv2.getNumThreads()

    return task


def marked(path: str) -> Task:
    """Writes a line for every item that is begun."""

    def task(item: int) -> Iterator[Any]:
        with open(path, "a") as file:
            file.write(f"{item}\n")
        yield np.zeros(4 << 20, np.uint8)

    return task


def broken_factory() -> Task:
    raise ValueError("no such setting: 'colour'")


def damaged_factory() -> Task:
    raise DamagedError("weights.pth is not a checkpoint")


def dead_factory() -> Task:
    os._exit(9)
