"""How far the work is: one line on a terminal, else a line every half minute."""

from __future__ import annotations

import logging
import sys
import time

log = logging.getLogger("sbtools")


class Progress:
    """Counts clips and says so on stderr, no more often than `every` seconds."""

    def __init__(self, total: int | None = None, quiet: bool = False) -> None:
        self.total, self.quiet = total, quiet
        self.count = self.failed = self.before = 0
        self.damaged = self.listing = False
        self.live = sys.stderr.isatty()
        self.every = 0.2 if self.live else 30.0
        self.begun = self.said = time.monotonic()

    def step(self, failed: bool) -> None:
        """One clip more."""
        self.count += 1
        self.failed += failed
        now = time.monotonic()
        if not self.quiet and now - self.said >= self.every:
            self.said = now
            self._say(self.text(now))

    def text(self, now: float) -> str:
        """The line: clips, rate, failures, time left where the total is known."""
        rate = self.count / max(now - self.begun, 1e-9)
        of = f" of {self.total}" if self.total is not None else ""
        parts = [f"{self.count}{of} clips", f"{rate:.1f} clips/s"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.total is not None and rate > 0:
            left = max(self.total - self.count, 0) / rate
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
