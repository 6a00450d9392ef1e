"""Whether a signal that comes some seconds before the end of a job comes early enough."""

from __future__ import annotations

import logging
from math import ceil

log = logging.getLogger("sbtools")

ENDING = 15.0
"""Seconds for processes to hear of it, and to end."""


class Lead:
    """Held against what steps and checkpoints take; the first shortage is a warning.

    seconds: between the signal and the end of the job; 0 where nobody knows.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.step_took = self.save_took = 0.0
        self._steps, self._said = 0, False

    @property
    def needed(self) -> float:
        """Seconds from a signal to the end of the process, as far as it was seen."""
        return self.step_took + self.save_took + ENDING

    def step(self, seconds: float) -> None:
        """A step took so long, with the wait for its clips; the first starts workers: left out."""
        self._steps += 1
        if self._steps > 1:
            self.step_took = max(self.step_took, seconds)
            self._compare()

    def saved(self, seconds: float) -> None:
        """A checkpoint took so long."""
        self.save_took = max(self.save_took, seconds)
        self._compare()

    def _compare(self) -> None:
        if self._said or not 0 < self.seconds < self.needed:
            return
        self._said = True
        wanted = 60 * ceil(2 * self.needed / 60)
        log.warning(
            "the signal comes %g s before the end, too late for a checkpoint: a step takes %.1f s, "
            "a checkpoint %.1f s, the processes' end up to %g s: sbatch --signal=B:USR1@%d, and "
            "--signal-lead %d",
            self.seconds, self.step_took, self.save_took, ENDING, wanted, wanted,
        )  # fmt: skip
