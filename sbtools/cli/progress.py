"""How far the work is: one line on a terminal, else a line every half minute."""

from __future__ import annotations

import logging
import sys
import time

log = logging.getLogger("sbtools")


class Progress:
    """Counts clips and says so on stderr, no more often than `every` seconds.

    A clip is worked on first, and printed when it is committed: `worked` may be ahead of `count`.
    """

    def __init__(self, total: int | None = None, quiet: bool = False) -> None:
        self.total, self.quiet = total, quiet
        self.count = self.worked = self.failed = self.before = 0
        self.damaged = self.listing = False
        self.live = sys.stderr.isatty()
        self.every = 0.2 if self.live else 30.0
        self.begun = self.said = time.monotonic()

    def printed(self, failed: bool) -> None:
        """One record more went out."""
        self.count += 1
        self.failed += failed
        self._show()

    def step(self) -> None:
        """One clip more was worked on."""
        self.worked += 1
        self._show()

    def _show(self) -> None:
        now = time.monotonic()
        if not self.quiet and now - self.said >= self.every:
            self.said = now
            self._say(self.text(now))

    def text(self, now: float) -> str:
        """The line: clips, rate, failures, time left where the total is known."""
        count = max(self.count, self.worked)
        rate = count / max(now - self.begun, 1e-9)
        of = f" of {self.total}" if self.total is not None else ""
        parts = [f"{count}{of} clips", f"{rate:.1f} clips/s"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.total is not None and rate > 0:
            left = max(self.total - count, 0) / rate
            parts.append(
                f"{int(left // 3600)}:{int(left % 3600 // 60):02}:{int(left % 60):02} left"
            )
        return ", ".join(parts)

    def _say(self, text: str) -> None:
        if self.live:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
        else:
            log.info("%s", text)

    def end(self) -> None:
        """Clear the terminal's line."""
        if self.live and not self.quiet and self.said != self.begun:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
