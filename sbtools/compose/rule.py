"""Which clips show enough of their people, and not too much, to be composed."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.compose.composite import RULES, is_valid
from sbtools.errors import ClipError, UsageError


@dataclass(frozen=True)
class Rule:
    """least, most: what share people are to fill of the clip as a whole or, with `frames` above 0,
    of each of at least that share of its frames. around: frames whose masks are joined before.
    """

    name: str = "none"
    least: float = 0.0
    most: float = inf
    frames: float = 0.0
    around: int = 0

    @property
    def asks(self) -> bool:
        """Whether any clip with people could be left out."""
        return self.least > 0 or self.most < 1

    def require(self, shares: NDArray[np.float64], whose: str = "") -> None:
        """ClipError "dropped" unless a clip, with these shares of its frames, has people enough."""
        if not shares.any():
            raise ClipError("dropped", f"nobody was found in any frame{whose}")
        if not is_valid(shares, self.least, self.most, self.frames):
            filled = f"people fill {100 * shares.mean():.1f}% of the clip{whose}"
            raise ClipError("dropped", f"{filled}: --valid {self.name} wants {self}")

    def __str__(self) -> str:
        asked = f"{100 * self.least:g}%"
        asked += f" to {100 * self.most:g}%" if isfinite(self.most) else " or more"
        return asked + (f", in {100 * self.frames:g}% of the frames" if self.frames else "")

    def describe(self) -> dict[str, Any]:
        """What the clips depend on, JSON-ready."""
        told: dict[str, Any] = {"valid": self.name, "around": self.around}
        if self.asks:
            most = self.most if isfinite(self.most) else None
            told |= {"least": self.least, "most": most, "frames": self.frames}
        return told


def rule_of(name: str, area: str | None = None, frames: float | None = None) -> Rule:
    """A rule of RULES with another area, "LEAST:MOST" in shares of 1, or share of the frames.

    Raises UsageError for what is no such thing.
    """
    least, most, share, around = RULES[name]
    if area is not None:
        least, most = _area(area)
    if frames is not None:
        share = frames
    return Rule(name, least, most, share, around)


def _area(text: str) -> tuple[float, float]:
    parts = text.split(":")
    try:
        least, most = (float(part) for part in parts)
    except ValueError:
        least, most = 1.0, 0.0
    if not 0 <= least <= most <= 1:
        raise UsageError(f"--area is LEAST:MOST, shares from 0 to 1 as in 0.05:0.5, not '{text}'")
    return least, most
