"""How far the work is: a line at the foot of a terminal, else a line in the log every half minute.

Rates, totals and the time left are of what this run does: clips that were done before are left out.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sbtools.cli import messages, terminal, watch
from sbtools.cli.pace import Pace, about, clock, rate

T = TypeVar("T")
log = logging.getLogger("sbtools")

EVERY = 30.0
"""Seconds between two lines in a log."""

LONG = 10.0
"""Seconds that have to be left for it to be told how long it will take."""

CELLS = 20


class Progress:
    """Counts clips and says so on stderr, while a `sbtools.cli.process.StopFlag` is installed.

    A clip is worked on first, and printed when it is committed: `worked` may be ahead of `count`.
    One that needs no work has `passed`. total: how many clips there will be, None where nobody
    knows. at_once: how many of them are worked on side by side, or come together. noun: what is
    counted.
    """

    def __init__(
        self, total: int | None = None, quiet: bool = False, at_once: int = 1, noun: str = "clips"
    ) -> None:
        self.total, self.quiet, self.noun = total, quiet, noun
        self.count = self.worked = self.passed = self.failed = self.before = 0
        self.damaged = self.listing = False
        self.pace = Pace(at_once)
        self._said = time.monotonic()
        self._told = self._announced = self._ended = False
        self._lock = threading.Lock()
        watch.follow(self.tick)

    def printed(self, failed: bool) -> None:
        """One record more went out."""
        self.count += 1
        self.failed += failed
        self._step()

    def step(self) -> None:
        """One clip more was worked on."""
        self.worked += 1
        self._step()

    def skip(self) -> None:
        """One clip more needs no work: it was done before, or failed."""
        self.passed += 1

    def coming(self, count: int) -> None:
        """So many clips more are to come, as a stage that reads all of them first can tell."""
        self.total = count + (self.total or 0)
        self._announced = True
        if count:
            log.info("%s", self._counted(count))

    def announce(self) -> None:
        """Say how many there are, once, if that is known."""
        if not self._announced and self.total:
            log.info("%s", self._counted(self.total))
        self._announced = True

    def each(self, incoming: Iterable[T]) -> Iterator[T]:
        """What comes in; with the first of it, how many there are is said."""
        for one in incoming:
            self.announce()
            yield one

    def counted(self, incoming: Iterable[T]) -> Iterator[T]:
        """What comes in; each counts as worked on when the next is asked for."""
        for one in incoming:
            yield one
            self.step()

    @property
    def done(self) -> int:
        """How many clips this run has worked on."""
        return max(self.worked, self.count - self.passed)

    @property
    def left(self) -> int | None:
        """How many there still are to work on; None where nobody knows."""
        return None if self.total is None else max(self.total - self.passed - self.done, 0)

    def tick(self) -> None:
        """Draw the line, or write one where it is time; say once how long it will take."""
        with self._lock:
            if not self.quiet and not self._ended:
                self._say(time.monotonic())

    def line(self, now: float, columns: int) -> str:
        """The line at the foot: the command, a bar where the total is known, and the text."""
        name, text, left = messages.program(), self.text(now), self.left
        if not left:
            return f"{name}: {text}"
        filled = CELLS * self.done // (self.done + left)
        drawn = f"{name} [{'#' * filled}{'.' * (CELLS - filled)}] {text}"
        return drawn if len(drawn) < columns else f"{name}: {text}"

    def text(self, now: float) -> str:
        """How many, how fast, how many failed, and the time that is left where that is known."""
        left, seconds = self.left, self.pace.seconds(now)
        of = f" of {self.done + left}" if left is not None else ""
        parts = [f"{self.done}{of} {self.noun}"]
        if seconds:
            parts.append(rate(seconds, self.noun))
        if self.failed:
            parts.append(f"{self.failed} failed")
        if left is not None and seconds:
            parts.append(f"{clock(left * seconds)} left")
        return ", ".join(parts)

    def end(self) -> None:
        """Leave the foot of the terminal, and say no more."""
        with self._lock:
            self._ended = True
            terminal.foot.clear()
        watch.unfollow(self.tick)

    def _step(self) -> None:
        self.pace.at(self.done, time.monotonic())

    def _say(self, now: float) -> None:
        if terminal.live():
            if self._begun():
                terminal.foot.show(self.line(now, terminal.width()))
        elif now - self._said >= EVERY and self.pace.last > self._said:
            self._said = now
            log.info("%s", self.text(now))
        self._estimate(now)

    def _begun(self) -> bool:
        """Whether there is a line to draw: in a pipe, the first stage's comes first."""
        return bool(self.total or self.done or self.passed)

    def _estimate(self, now: float) -> None:
        left = self.left
        if self._told or left is None or not self.pace.judged:
            return
        seconds = left * self.pace.seconds(now)
        if seconds >= LONG:
            self._told = True
            log.info("%s left: %s, judged from the first %d", self._counted(left),
                     about(seconds), self.done)  # fmt: skip

    def _counted(self, count: int) -> str:
        return f"{count} {self.noun if count != 1 else self.noun.rstrip('s')}"


@contextmanager
def busy(doing: str, quiet: bool) -> Iterator[None]:
    """At the foot of a terminal what is done in this block, in which there is nothing to count."""
    if terminal.live() and not quiet:
        terminal.foot.show(f"{messages.program()}: {doing}")
    try:
        yield
    finally:
        terminal.foot.clear()
