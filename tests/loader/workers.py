"""Clips that go wrong in a worker, as a worker imports them."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from sbtools.loader import Clips, Failure, Sample


class Dying(Clips):
    """Ends its process at place 3, in epoch 1."""

    def __getitem__(self, item: tuple[int, int]) -> Sample | Failure:
        if item == (3, 1):
            os._exit(3)
        return super().__getitem__(item)


class Killed(Clips):
    """Is killed at place 3, as by the kernel when memory is short."""

    def __getitem__(self, item: tuple[int, int]) -> Sample | Failure:
        if item[0] == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(item)


class Hanging(Clips):
    """Never comes back from place 3."""

    def __getitem__(self, item: tuple[int, int]) -> Sample | Failure:
        if item[0] == 3:
            time.sleep(600)
        return super().__getitem__(item)


class Told(Clips):
    """Notes in a file which process loads what; sends its own process TERM, INT and USR1."""

    note: Any = ""

    def __getitem__(self, item: tuple[int, int]) -> Sample | Failure:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            os.kill(os.getpid(), number)
        with open(self.note, "a") as file:
            file.write(f"{item[1]} {os.getpid()}\n")
        return super().__getitem__(item)
