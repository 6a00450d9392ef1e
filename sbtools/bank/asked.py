"""What is asked of a bank."""

from __future__ import annotations

from dataclasses import dataclass

from sbtools.bank.choice import UPPER, Slice
from sbtools.bank.scores import SCORES
from sbtools.errors import UsageError


@dataclass(frozen=True)
class Bank:
    """What a bank is made of, and how: `run` scores every K-th frame, or none for motion; `frames`
    of the slice are kept, at size x size pixels."""

    run: str | None
    score: str = "max"
    every: int = 1
    part: Slice = UPPER
    frames: int = 1024
    size: int = 224
    which: str | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        """UsageError for a score that there is not, and for a run that is asked for nothing."""
        if self.score not in SCORES:
            raise UsageError(f"--score is {', '.join(SCORES)}, not '{self.score}'")
        if (self.run is None) != (self.score == "motion"):
            wanted = "name a run that was trained on single frames: sbtools bank RUN [INPUT]..."
            left = f"--score motion uses no model: leave {self.run} out"
            raise UsageError(wanted if self.run is None else left)
