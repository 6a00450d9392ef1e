"""A thread beside a command: it answers Ctrl-C at once, whatever is computed, and moves the bar."""

from __future__ import annotations

import logging
import multiprocessing
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from sbtools.cli.terminal import foot
from sbtools.signals import GROUP

log = logging.getLogger("sbtools")

TICK = 0.5
"""Seconds from one look at the bar to the next."""

PATIENCE = 3.0
"""Seconds that a command has to end by itself once Ctrl-C was pressed twice."""

Tick = Callable[[], None]
_ticks: list[Tick] = []


def follow(tick: Tick) -> None:
    """Have `tick` called now and then while a command is watched, in another thread."""
    _ticks.append(tick)


def unfollow(tick: Tick) -> None:
    """Have it called no more."""
    with suppress(ValueError):
        _ticks.remove(tick)


class Watch:
    """The thread, in a `with` of the main thread.

    doing: what the command does after the first Ctrl-C, as in "finishing this clip". left: what is
    said of what was done, and code the exit status, of a process that does not end by itself after
    the second: its main thread may be in the midst of a long computation, to which Python tells no
    signal.
    """

    def __init__(self, doing: str, left: str, code: int) -> None:
        self.doing, self.left, self.code = doing, left, code
        self.presses = 0
        self._leaving: float | None = None
        self._ended = False

    def __enter__(self) -> Watch:
        self._ear, self._bell = socket.socketpair()
        self._ear.setblocking(False)
        self._bell.setblocking(False)
        self._before = signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._run, name="sbtools-watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        signal.set_wakeup_fd(self._before)
        self._ended = True
        with suppress(OSError):
            self._bell.send(b"\0")
        self._thread.join()
        _ticks.clear()
        foot.clear()
        self._bell.close()
        self._ear.close()

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, GROUP)
        while not self._ended:
            if select.select([self._ear], [], [], TICK)[0]:
                for _ in range(self._ear.recv(64).count(signal.SIGINT)):
                    self._struck()
            if self._leaving is not None and time.monotonic() > self._leaving:
                self._leave()
            for tick in () if self._ended else tuple(_ticks):
                tick()

    def _struck(self) -> None:
        self.presses += 1
        if self.presses == 1:
            log.info("%s; Ctrl-C again stops now", self.doing)
        elif self._leaving is None:
            self._leaving = time.monotonic() + PATIENCE

    def _leave(self) -> None:
        foot.clear()
        log.info("stopped; %s", self.left)
        leave(self.code)


def leave(code: int) -> NoReturn:
    """End the process as a kill would: what stands in stores and runs is whole at any time."""
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(code)
