"""What runs in a worker process: takes items one at a time and sends their chunks back."""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import socket
import sys
import threading
import traceback
from contextlib import suppress
from typing import Any, NoReturn

from sbtools.pool import memory, wire
from sbtools.pool.task import Task, clip_error, make, portable, start_error

GROUP_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1}
"""A terminal or Slurm sends these to every process of a job; the parent alone answers them."""

PR_SET_PDEATHSIG = 1


def main(link: int, shared: int | None) -> NoReturn:
    """Serves until the parent goes away; `link` and `shared` are inherited file descriptors."""
    for number in GROUP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, GROUP_SIGNALS)
    _die_with_parent()
    os.set_inheritable(link, False)
    parent = Parent(socket.socket(fileno=link), shared)
    try:
        task = _start(parent)
        while True:
            _serve(parent, task, parent.take())
    except OSError:
        os._exit(1)


class Parent:
    """The parent, seen from a worker.

    A thread listens, so that the worker ends with its parent even in the midst of a clip.
    """

    def __init__(self, link: socket.socket, shared: int | None) -> None:
        self._link = link
        self._memory = memory.attach(shared)
        self._items: queue.SimpleQueue[wire.Message] = queue.SimpleQueue()
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        for slot in range(wire.SLOTS):
            self._free.put(slot)
        threading.Thread(target=self._listen, daemon=True).start()

    def take(self) -> Any:
        """The next thing to do; waits for it."""
        return self._items.get().value()

    def tell(self, kind: str, value: Any = None) -> None:
        wire.send(self._link, kind, wire.pack(value))

    def chunk(self, value: Any) -> None:
        """Sends one chunk, when the parent has room for it."""
        parts = wire.pack(value)
        lengths = [len(part) for part in parts]
        size = wire.size_of(lengths)
        slot = self._free.get()
        if size > wire.SLOT_BYTES:
            self._wait_for_others()
        if self._memory is None or not wire.INLINE_BYTES < size <= wire.SLOT_BYTES:
            wire.send(self._link, "chunk", parts, slot)
            return
        at = slot * wire.SLOT_BYTES
        with memoryview(self._memory) as room:
            wire.copy_into(room[at : at + size], parts)
        wire.announce(self._link, "chunk", lengths, slot)

    def _wait_for_others(self) -> None:
        """Lets a chunk that is larger than a slot be alone on its way."""
        others = [self._free.get() for _ in range(wire.SLOTS - 1)]
        for other in others:
            self._free.put(other)

    def _listen(self) -> None:
        reader = wire.Reader(self._link)
        with suppress(BaseException):
            while True:
                message = reader.receive()
                if message is None:
                    continue
                if message.kind == "ack":
                    self._free.put(message.value())
                else:
                    self._items.put(message)
        os._exit(0)


def _start(parent: Parent) -> Task:
    factory, kwargs = parent.take()
    try:
        task = make(factory, kwargs)
    except BaseException as error:
        parent.tell("fatal", (portable(start_error(error)), traceback.format_exc()))
        while True:
            parent.take()
    parent.tell("ready")
    return task


def _serve(parent: Parent, task: Task, item: Any) -> None:
    try:
        for chunk in task(item):
            parent.chunk(chunk)
    except BaseException as error:
        meaning = portable(clip_error(error))
        if getattr(meaning, "kind", None) == "memory":
            traceback.clear_frames(error.__traceback__)
        parent.tell("error", (meaning, traceback.format_exc()))
    else:
        parent.tell("done")


def _die_with_parent() -> None:
    """Asks Linux to kill this process with its parent; elsewhere the listening thread does it."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
