"""A disk that fails: from the Nth call that writes on, each fails as the kernel would have it.

tests/served.py installs it in a command whose environment has SERVED_FAIL=N:CODE:FILE, such as
3:EIO:/tmp/calls; N 0 fails never. FILE gets a byte for each call.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable
from typing import Any

CALLS = ("fsync", "pwrite", "ftruncate", "replace", "link", "mkdir")
"""Of `os`; writes by way of binary files come on top."""


class Disk:
    """Counts calls that write, and lets those from number `first` on fail; 0 for none."""

    def __init__(self, first: int, code: str, log: str) -> None:
        self.first, self.number, self.calls = first, getattr(errno, code), 0
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def __call__(self) -> None:
        """One more call; OSError where it fails."""
        self.calls += 1
        os.write(self._log, b".")
        if self.first and self.calls >= self.first:
            raise OSError(self.number, os.strerror(self.number))

    def counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, which fails where the disk does."""

        def counted(*given: Any, **named: Any) -> Any:
            self()
            return call(*given, **named)

        return counted


class _Raw(io.FileIO):
    disk: Disk

    def write(self, data: Any) -> int:
        self.disk()
        return super().write(data)


def install(told: str) -> None:
    """Take the place of what writes to files in this process; `os.write` and stdout stay."""
    first, code, log = told.split(":", 2)
    disk, plain = Disk(int(first), code, log), open
    for name in CALLS:
        setattr(os, name, disk.counted(getattr(os, name)))

    def opened(file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **more: Any) -> Any:
        if "b" not in mode or not set(mode) & set("wxa+"):
            return plain(file, mode, buffering, *rest, **more)
        raw = _Raw(file, mode.replace("b", ""), **more)
        raw.disk = disk
        if buffering == 0:
            return raw
        return io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)

    os.fdopen = builtins.open = opened  # type: ignore[assignment]
