"""One worker process, seen from the parent."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.errors import SbtoolsError
from sbtools.pool import memory, wire
from sbtools.pool.worker import GROUP_SIGNALS

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
}
"""A worker computes with one thread: there is a worker for each core, and sums keep their order."""

_SEND_SECONDS = 30


class Worker:
    """A process of our own making: no fork of this one, no second run of the caller's __main__.

    ready: its task is made. held: chunks that wait for room, during which it may stand still.
    busy_seconds: what it has spent on its present item.
    """

    def __init__(self, factory: str, kwargs: dict[str, Any]) -> None:
        ours, theirs = socket.socketpair()
        shared = memory.create()
        try:
            self._process = _spawn(theirs.fileno(), shared)
        except OSError:
            ours.close()
            if shared is not None:
                os.close(shared)
            raise
        finally:
            theirs.close()
        self._memory = memory.attach(shared)
        limit = struct.pack("ll", _SEND_SECONDS, 0)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self._link = ours
        self._reader = wire.Reader(ours)
        self.ready = False
        self.held = 0
        self.busy_seconds = 0.0
        self.send("start", (factory, kwargs))

    def fileno(self) -> int:
        return self._link.fileno()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, kind: str, value: Any) -> int:
        """Sends a message, and gives its size; that the process is dead shows when it is read."""
        parts = wire.pack(value)
        try:
            wire.send(self._link, kind, parts)
        except OSError:
            self._process.kill()
        return sum(len(part) for part in parts)

    def receive(self) -> wire.Message | None:
        """A message that is there now, or None. Raises EOFError when the process is gone."""
        return self._reader.receive(socket.MSG_DONTWAIT)

    def copy(self, slot: int, into: NDArray[np.uint8]) -> None:
        """Copies what lies in a slot."""
        if self._memory is None:
            raise SbtoolsError("a worker answered through shared memory that does not exist")
        at = slot * wire.SLOT_BYTES
        np.copyto(into, np.frombuffer(self._memory, np.uint8, into.size, at))

    def terminate(self) -> None:
        """Ends the process at once, without waiting."""
        self._process.kill()

    def kill(self) -> None:
        """Ends the process at once, and waits until it has ended."""
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._link.close()

    def last_words(self) -> str:
        """How a process that closed its end has ended, e.g. "was killed by signal 9 (SIGKILL)"."""
        try:
            status = self._process.wait(2)
        except subprocess.TimeoutExpired:
            return "closed its connection"
        if status >= 0:
            return f"exited with status {status}"
        try:
            return f"was killed by signal {-status} ({signal.Signals(-status).name})"
        except ValueError:
            return f"was killed by signal {-status}"


def _spawn(link: int, shared: int | None) -> subprocess.Popen[bytes]:
    """Starts a worker; what it prints goes to stderr, since stdout belongs to the records.

    Signals to the whole group stay blocked until it has chosen to ignore them.
    """
    code = f"import sys; sys.path[:] = {sys.path!a}; "
    code += f"from sbtools.pool.worker import main; main({link}, {shared})"
    descriptors = [link] if shared is None else [link, shared]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, GROUP_SIGNALS)
    try:
        return subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=2 if _is_open(2) else subprocess.DEVNULL,
            env={**os.environ, **ONE_THREAD},
            pass_fds=descriptors,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
