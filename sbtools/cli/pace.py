"""How fast a run is, and how long what is left will take."""

from __future__ import annotations

TOGETHER = 0.02
"""Seconds within which what is done counts as done together."""

MINUTE, HOUR, DAY = 60, 3600, 86400


class Pace:
    """The time that one more takes, measured in this run.

    The clock starts when the first `at_once` are done: they are worked on side by side, or in one
    batch, and what comes before is the start of the run, its models and its workers.
    """

    def __init__(self, at_once: int = 1) -> None:
        self._at_once = max(at_once, 1)
        self._first = self._done = 0
        self._since = self.last = 0.0

    def at(self, done: int, now: float) -> None:
        """So many are done, at that time in seconds; fewer than before are no news."""
        if done <= self._done:
            return
        self._done, self.last = done, now
        at_first = done <= 2 * self._at_once and now - self._since < TOGETHER
        if done <= self._at_once or not self._first or at_first:
            self._first, self._since = done, now

    @property
    def measured(self) -> int:
        """How many the clock has seen."""
        return self._done - self._first

    def seconds(self, now: float) -> float:
        """Seconds that one takes, 0 before that is known; a wait longer than usual counts."""
        if not self.measured:
            return 0.0
        usual = (self.last - self._since) / self.measured
        if now - self.last <= usual * self._at_once:
            return usual
        return (now - self._since) / (self.measured + self._at_once)

    @property
    def judged(self) -> bool:
        """Whether enough was seen to say how long the rest will take."""
        passed = self.last - self._since
        return any(
            self.measured >= least and passed >= seconds
            for least, seconds in ((20, 2.0), (3, 10.0), (1, 60.0))
        )


def rate(seconds: float, noun: str) -> str:
    """The rate in words, of seconds that one takes: "2.0 clips/s", or "4.1 s a clip"."""
    if seconds > 1:
        return f"{seconds:.1f} s a {noun.rstrip('s')}"
    return f"{1 / seconds:.1f} {noun}/s"


def clock(seconds: float) -> str:
    """Hours, minutes and seconds: 0:01:24."""
    whole = int(seconds)
    return f"{whole // HOUR}:{whole % HOUR // MINUTE:02}:{whole % MINUTE:02}"


def about(seconds: float) -> str:
    """A time in round words: "about 40 seconds", "about 12 minutes", "about 3.5 hours"."""
    if seconds < 1.5 * MINUTE:
        return f"about {max(round(seconds / 10), 1) * 10} seconds"
    if seconds < 1.5 * HOUR:
        return f"about {round(seconds / MINUTE)} minutes"
    if seconds < 2 * DAY:
        return f"about {seconds / HOUR:.1f} hours"
    return f"about {seconds / DAY:.1f} days"
