"""Shared memory without a name, so that nothing is left behind, and buffers used again."""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref

import numpy as np
from numpy.typing import NDArray

from sbtools.pool.wire import SLOT_BYTES, SLOTS


def create() -> int | None:
    """A file descriptor of SLOTS x SLOT_BYTES bytes of memory, or None where there is none to have.

    memfd_create, or an unlinked temporary file. A limit on file sizes (RLIMIT_FSIZE) counts here
    too; without shared memory everything goes through the socket.
    """
    try:
        descriptor = _open()
    except OSError:
        return None
    try:
        os.ftruncate(descriptor, SLOTS * SLOT_BYTES)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def attach(descriptor: int | None) -> mmap.mmap | None:
    """The memory behind a descriptor, which is closed; None where it cannot be mapped."""
    if descriptor is None:
        return None
    try:
        return mmap.mmap(descriptor, SLOTS * SLOT_BYTES)
    except (OSError, ValueError):
        return None
    finally:
        os.close(descriptor)


class Buffers:
    """Memory for what is copied out of the slots, used again once nothing refers to it.

    Fresh memory costs several times the copy itself: the kernel clears it page by page.
    """

    def __init__(self, keep_bytes: int) -> None:
        self._keep_bytes = keep_bytes
        self._free: list[NDArray[np.uint8]] = []

    def take(self, size: int) -> NDArray[np.uint8]:
        """uint8 [size], uninitialised; it comes back by itself when its last view is dropped."""
        whole = self._find(size)
        lease = whole[:size]
        weakref.finalize(lease, self._free.append, whole).atexit = False
        return lease

    def _find(self, size: int) -> NDArray[np.uint8]:
        while sum(buffer.size for buffer in list(self._free)) > self._keep_bytes:
            self._free.pop(0)
        for index, buffer in enumerate(self._free):
            if size <= buffer.size <= 2 * size:
                return self._free.pop(index)
        return np.empty(size, np.uint8)


def _open() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("sbtools-pool")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
