"""Takes items from an iterator that may block for ever, a few ahead."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Feeder(Generic[T]):
    """A thread that iterates; `wake` is called whenever there is something new to see.

    It is a daemon: a read that never returns does not hold up the end of the run. What it reads
    from must stand being left alone in a read at interpreter exit: os.read and unbuffered files
    do, sys.stdin.buffer does not.
    """

    def __init__(self, items: Iterable[T], ahead: int, wake: Callable[[], None]) -> None:
        self._items = items
        self._ahead = ahead
        self._wake = wake
        self._waiting: deque[T] = deque()
        self._room = threading.Condition()
        self._closed = False
        self._exhausted = False
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="sbtools-items", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def ended(self) -> bool:
        """True when nothing more will come."""
        with self._room:
            return self._closed or (self._exhausted and not self._waiting)

    def first(self) -> T:
        """What `take` would give; only while there is something waiting."""
        return self._waiting[0]

    def take(self) -> T:
        with self._room:
            self._room.notify()
            return self._waiting.popleft()

    def close(self) -> None:
        """Takes no more, and forgets what is waiting. The iterator is closed when it returns."""
        with self._room:
            self._closed = True
            self._waiting.clear()
            self._room.notify()

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._offer(item):
                    self._close_items()
                    break
        except BaseException as error:
            self.error = error
        with self._room:
            self._exhausted = True
        self._wake()

    def _offer(self, item: T) -> bool:
        with self._room:
            if not self._closed:
                self._waiting.append(item)
        self._wake()
        with self._room:
            while len(self._waiting) >= self._ahead and not self._closed:
                self._room.wait()
            return not self._closed

    def _close_items(self) -> None:
        close = getattr(self._items, "close", None)
        if close is not None:
            with suppress(Exception):
                close()
