"""What holds of SCUBA, SCUFO and contrasted accuracy, whatever a model answers."""

from __future__ import annotations

ROUNDING = 0.01
"""Points by which numbers of two decimals may miss it."""
_EDGE = 1e-6


def broken(scuba: float, scufo: float, contrasted: float, allowed: float = ROUNDING) -> str:
    """How percentages break SCUBA - SCUFO <= contrasted <= SCUBA; empty where they hold it.

    A pair counts as contrasted where its SCUBA clip is right and its SCUFO clip wrong. Right in
    SCUBA are those pairs and the ones right in both, and these are no more than are right in SCUFO.
    So it holds for every set of pairs, and for means over sets.
    """
    least = scuba - scufo
    if least - contrasted > allowed + _EDGE:
        by = f"by {least - contrasted:.2f} points"
        return f"SCUBA - SCUFO = {least:.2f} exceeds contrasted {contrasted:.2f} {by}"
    if contrasted - scuba > allowed + _EDGE:
        by = f"by {contrasted - scuba:.2f} points"
        return f"contrasted {contrasted:.2f} exceeds SCUBA {scuba:.2f} {by}"
    return ""
