"""Clips that go wrong in a worker, as a worker imports them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sbtools.errors import ClipError
from sbtools.loader import Clips, Failure, Sample
from sbtools.loader.excerpt import Reader
from tests.pool.pool_tasks import counted, noted


class Dying(Clips):
    """Ends its process at place 3, in epoch 1."""

    def take(self, places: Sequence[int], epoch: int) -> list[Sample] | Failure:
        if (places[0], epoch) == (3, 1):
            os._exit(3)
        return super().take(places, epoch)


class Killed(Clips):
    """Is killed at place 3, as by the kernel when memory is short."""

    def take(self, places: Sequence[int], epoch: int) -> list[Sample] | Failure:
        if places[0] == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().take(places, epoch)


class Hanging(Clips):
    """Never comes back from place 3."""

    def take(self, places: Sequence[int], epoch: int) -> list[Sample] | Failure:
        if places[0] == 3:
            time.sleep(600)
        return super().take(places, epoch)


class Told(Clips):
    """Notes in a file which process loads what; sends its own process TERM, INT and USR1."""

    note: Any = ""

    def take(self, places: Sequence[int], epoch: int) -> list[Sample] | Failure:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            os.kill(os.getpid(), number)
        with open(self.note, "a") as file:
            file.write(f"{epoch} {os.getpid()}\n")
        return super().take(places, epoch)


class Scarce(Clips):
    """Lacks memory for clips as often as `failures` says; notes what it begins and ends to read.

    The clip that is `slow` takes 2 s, unless one that lacked memory is begun again meanwhile.
    """

    log: Any = ""
    failures: Mapping[str, int] = {}
    slow = ""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.reader.__class__ = _ScarceReader
        self.reader.clips_read = self  # type: ignore[attr-defined]

    def begun_again(self) -> bool:
        """Whether one that lacked memory is read a second time."""
        return any(counted(self.log, f"begin {id}") > 1 for id in self.failures)


class _ScarceReader(Reader):
    clips_read: Scarce

    @contextmanager
    def _source(self, record: Mapping[str, Any], *how: Any) -> Iterator[Any]:
        id, told = record["id"], self.clips_read
        tries = noted(told.log, f"begin {id}")
        until = time.monotonic() + 2 * (id == told.slow)
        while time.monotonic() < until and not told.begun_again():
            time.sleep(0.02)
        with super()._source(record, *how) as found:
            yield found
        noted(told.log, f"end {id}")
        if tries <= told.failures.get(id, 0):
            raise ClipError("memory", "out of memory")
