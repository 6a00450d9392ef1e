"""The signals that a terminal or Slurm sends to every process of a job, while others are started.

Starting multiprocessing's resource tracker unblocks INT and TERM in the thread that does it, and
what is started first by a pool or a loader is this tracker.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import FrameType

GROUP = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGUSR1})


def hold() -> set[signal.Signals]:
    """Block them in this thread, for good; the mask before is returned.

    The tracker runs already when this returns, so that nothing unblocks them. One that comes
    meanwhile is pending afterwards.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, GROUP)
    with _sent_again(), _quietly():
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, GROUP)
    return {signal.Signals(number) for number in before}


@contextmanager
def held() -> Iterator[None]:
    """Hold them back in this block, from what is started in it too; they count at its end."""
    before = hold()
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _quietly() -> Iterator[None]:
    """What is started in this block removes what a killed process has left, and does not say so."""
    sys.warnoptions.append("ignore:resource_tracker:UserWarning")
    try:
        yield
    finally:
        sys.warnoptions.pop()


@contextmanager
def _sent_again() -> Iterator[None]:
    """What strikes in this block, at whose end the signals are blocked, is sent once more then."""
    struck: set[int] = set()

    def note(number: int, frame: FrameType | None) -> None:
        struck.add(number)

    mine = threading.current_thread() is threading.main_thread()
    known = [number for number in GROUP if mine and signal.getsignal(number) is not None]
    before = {number: signal.signal(number, note) for number in known}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for each in struck:
            os.kill(os.getpid(), each)
