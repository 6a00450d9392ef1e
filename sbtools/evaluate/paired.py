"""Two answers to the same clips: McNemar's test, and what difference could be seen at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from sbtools.evaluate.metrics import Floats
from sbtools.rng import generator

ALPHA, POWER = 0.05, 0.8


def resolved(hits: Floats, ids: Sequence[str]) -> Floats:
    """Hits of 0 or 1: one that a tie left between them is drawn by the clip's id.

    The draw is the same for whatever answered the clip, so that equal answers stay equal.
    """
    whole = np.rint(hits)
    for place in np.flatnonzero(hits != whole).tolist():
        whole[place] = generator(0, ids[place], "tie").random() < hits[place]
    return whole


def discordant(a: Floats, b: Floats) -> tuple[int, int]:
    """(clips right in a alone, clips right in b alone) of hits [N] that are 0 or 1."""
    return int(np.count_nonzero(a > b)), int(np.count_nonzero(b > a))


def mcnemar(only_a: int, only_b: int) -> tuple[float, float]:
    """Two-sided p values of McNemar's test: exact, and mid-p.

    With n = only_a + only_b discordant clips and X ~ Binomial(n, 1/2), exact is
    min(1, 2 P(X <= min)); mid-p is 2 P(X <= min) - P(X = min), which is less conservative
    (Fagerland, Lydersen, Laake 2013). Both are 1 where nothing is discordant.
    """
    few, total = min(only_a, only_b), only_a + only_b
    if total == 0:
        return 1.0, 1.0
    logs = [_log_binomial(total, k) - total * math.log(2) for k in range(few + 1)]
    tail, last = math.fsum(map(math.exp, logs)), math.exp(logs[-1])
    return min(1.0, 2 * tail), min(1.0, 2 * tail - last)


def _log_binomial(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def detectable(error: float, alpha: float = ALPHA, power: float = POWER) -> float:
    """The smallest difference that a two-sided test at `alpha` shows with probability `power`.

    error: standard error of the difference, paired and over sources. (z(1 - alpha/2) + z(power))
    times it.
    """
    normal = NormalDist()
    return (normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)) * error


def holm(values: Sequence[float]) -> list[float]:
    """p values corrected for their number by Holm's step-down rule, in their order."""
    order = sorted(range(len(values)), key=lambda place: values[place])
    corrected, largest = [0.0] * len(values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - rank) * values[place]))
        corrected[place] = largest
    return corrected
