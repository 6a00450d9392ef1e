"""The terminal under a command: its messages, and at the foot a line of each stage of a pipe.

The cursor rests at the start of the first of those lines, and nothing above it is ever erased: what
another program prints there moves them down. A stage draws its own line alone, each time in one
write; who has which is agreed by locks on bytes of the terminal's device file, which end with their
process, so that one which is killed leaves nothing behind for the others.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

ROWS = 8
"""Lines at the foot; a stage that finds all of them taken draws none."""

CLEAR = "\r\x1b[J"
"""Erases the lines at the foot, whoever has them; the others draw theirs again soon."""


def live() -> bool:
    """Whether lines may be drawn: stderr is a terminal in whose foreground this command runs."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return False
    try:
        return os.tcgetpgrp(2) == os.getpgrp()
    except OSError:
        return True  # A terminal that is not the one this session is controlled by.


def width() -> int:
    """Columns of the terminal."""
    try:
        return os.get_terminal_size(2).columns or 80
    except OSError:
        return 80


class Foot:
    """The line of this command at the foot of the terminal; any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._text = ""
        self._row: int | None = None
        self._device: int | None = None

    def show(self, text: str) -> None:
        """Draw the line, or draw it anew: at once, in the highest place that is free."""
        with self._lock:
            old = self._row
            self._claim()
            if self._row is None:
                return
            moved = _drawn("", old) if old not in (None, self._row) else ""
            self._text = text
            _write(moved + _drawn(text, self._row))

    def say(self, message: str) -> None:
        """Write a message, which ends with a line end, above the lines at the foot."""
        with self._lock:
            if not live():
                _write(message)
                return
            own = _drawn(self._text, self._row) if self._text else ""
            _write(CLEAR + message + own)

    def clear(self) -> None:
        """Erase this command's line, and leave its place to others."""
        with self._lock:
            if self._row is not None and live():
                _write(_drawn("", self._row))
            self._text, self._row = "", None
            if self._device is not None:
                os.close(self._device)
                self._device = None

    @contextmanager
    def aside(self) -> Iterator[None]:
        """No line in this block, in which something is printed to the terminal."""
        with self._lock:
            self.clear()
            yield

    def _claim(self) -> None:
        """Take the first place that no other stage has."""
        for row in range(ROWS if self._row is None else self._row):
            if self._locked(row):
                if self._row is not None and self._device is not None:
                    fcntl.lockf(self._device, fcntl.LOCK_UN, 1, self._row)
                self._row = row
                return

    def _locked(self, row: int) -> bool:
        """Whether the place is this stage's now; also where the terminal knows no locks."""
        try:
            if self._device is None:
                self._device = os.open(os.ttyname(2), os.O_RDWR | os.O_NOCTTY)
            fcntl.lockf(self._device, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, row)
        except OSError as error:
            return error.errno not in (errno.EACCES, errno.EAGAIN) or self._device is None
        return True


def _drawn(text: str, row: int | None) -> str:
    """What draws a line at so many lines below the cursor, and brings the cursor back.

    Line ends, unlike movements, make room at the bottom of the screen.
    """
    row = row or 0
    back = f"\x1b[{row}A" if row else ""
    return "\n" * row + f"\r\x1b[K{text[: width() - 1]}\r{back}"


def _write(text: str) -> None:
    """To whatever sys.stderr is now, in one write; a reader that went away is no failure."""
    with suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()


foot = Foot()
