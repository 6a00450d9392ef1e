"""A terminal for tests: commands run in it as in one of a user, and what its screen shows."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.cli.running import environment

_PART = re.compile(r"\x1b\[(\d*)([A-Z])|([\r\n])|([^\r\n\x1b])")


class Screen:
    """Rows of characters, as a terminal makes them of what is written: movements, no colours."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self.lines: list[str] = [""] * rows
        self.above: list[str] = []
        self.row = self.column = 0

    def write(self, text: str) -> None:
        """Obey; AssertionError for a sequence that is not known here."""
        end = 0
        for part in _PART.finditer(text):
            assert part.start() == end, text[end : part.start()]
            end = part.end()
            count, letter, control, character = part.groups()
            if letter:
                {"A": self._up, "K": self._erase, "J": self._erase_below}[letter](int(count or 1))
            elif control:
                self._control(control)
            else:
                self._put(character)
        assert end == len(text), text[end:]

    def shown(self) -> list[str]:
        """The lines that are not empty, with those that were scrolled away."""
        return [line.rstrip() for line in (*self.above, *self.lines) if line.strip()]

    def _up(self, count: int) -> None:
        self.row = max(self.row - count, 0)

    def _erase(self, count: int) -> None:
        self.lines[self.row] = self.lines[self.row][: self.column]

    def _erase_below(self, count: int) -> None:
        self._erase(count)
        for row in range(self.row + 1, self.rows):
            self.lines[row] = ""

    def _control(self, character: str) -> None:
        if character == "\r":
            self.column = 0
        elif self.row == self.rows - 1:
            self.above.append(self.lines.pop(0))
            self.lines.append("")
        else:
            self.row += 1

    def _put(self, character: str) -> None:
        if self.column == self.columns:
            self._control("\n")
            self.column = 0
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
        self.column += 1


class Terminal:
    """A command in the foreground of a terminal of its own, in a `with`."""

    def __init__(
        self,
        words: Sequence[str],
        cwd: Path,
        rows: int = 24,
        columns: int = 100,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.screen = Screen(rows, columns)
        self._words, self._cwd = words, cwd
        self._env = environment({"TERM": "xterm", **(env or {})})
        self.status: int | None = None

    def __enter__(self) -> Terminal:
        parent, child = pty.openpty()
        size = struct.pack("HHHH", self.screen.rows, self.screen.columns, 0, 0)
        fcntl.ioctl(parent, termios.TIOCSWINSZ, size)
        self.pid = os.posix_spawn(
            "/usr/bin/env", ["env", "-C", str(self._cwd), "setsid", "--ctty", *self._words],
            self._env, setsigdef=[signal.SIGINT], file_actions=[
                (os.POSIX_SPAWN_DUP2, child, place) for place in (0, 1, 2)
            ],
        )  # fmt: skip
        os.close(child)
        self._handle = parent
        return self

    def __exit__(self, *details: object) -> None:
        if self.status is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._handle)

    def press(self, keys: bytes) -> None:
        """Type: b"\\x03" is Ctrl-C."""
        os.write(self._handle, keys)

    def until(self, seen: Callable[[list[str]], bool], seconds: float = 60) -> list[str]:
        """What the screen shows once `seen` says so of it; AssertionError after so long."""
        limit = time.monotonic() + seconds
        while not seen(self.screen.shown()):
            assert time.monotonic() < limit, self.screen.shown()
            self._read(0.1)
        return self.screen.shown()

    def end(self, seconds: float = 60) -> list[str]:
        """What the screen shows when the command has ended; its exit status is `status`."""
        limit = time.monotonic() + seconds
        while self._read(0.1):
            assert time.monotonic() < limit, self.screen.shown()
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.screen.shown()

    def _read(self, seconds: float) -> bool:
        """Take in what was written; whether anybody may write more."""
        if not select.select([self._handle], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self._handle, 1 << 16)
        except OSError:
            return False  # Linux says so when nobody has the terminal open any more.
        self.screen.write(data.decode("utf-8", "replace"))
        return bool(data)
