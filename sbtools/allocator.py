"""How this process takes memory from the system, where that is glibc's to decide."""

from __future__ import annotations

import ctypes
import os
import platform

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Of malloc.h."""

TRIM = (1 << 31) - 1
KNOWN = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")


def keep_memory() -> bool:
    """Keep freed memory for the next step instead of giving it back; whether that was done.

    glibc gives a freed tensor back to the system at once, which then fills the next one with zeros,
    a page at a time: up to a third of the processor time of training a small model. What the
    environment says of it stands. For commands alone: it is never done on import.
    """
    if platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in KNOWN):
        return False
    library = ctypes.CDLL(None)
    return bool(library.mallopt(M_MMAP_MAX, 0)) and bool(library.mallopt(M_TRIM_THRESHOLD, TRIM))
