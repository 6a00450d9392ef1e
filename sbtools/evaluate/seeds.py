"""Intervals over seeds: what another training of the same recipe would give, too.

A seed is one training with all that it draws anew. The values of several seeds are few, so their
intervals are Student's t; one seed says nothing about training. Where all seeds are judged on the
same clips, the clips' own variance is in none of their differences and comes on top.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sbtools.evaluate.metrics import Floats

LEVEL, POWER = 0.95, 0.8
ROUNDING = 1e-12
"""Values of seeds that differ by less are equal, and their spread is not known."""

Part = tuple[float, float]
"""A part of a variance, and its degrees of freedom."""


@dataclass(frozen=True)
class SeedInterval:
    """A mean over seeds, or a difference of two: of shares, 0 to 1 (of differences, -1 to 1).

    value; low, high: the interval; error: the standard error; df: the degrees of freedom of t; p:
    two-sided, of a true value of 0; detectable: the smallest true value that such an error shows
    at the level with probability 0.8. All but value are NaN where seeds tell no spread: one seed,
    or values that are all the same.
    """

    value: float
    low: float
    high: float
    error: float
    df: float
    p: float
    detectable: float

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out 0; False where there is none."""
        return self.low > 0 or self.high < 0


def paired(differences: Floats, clip_variance: float = 0.0, level: float = LEVEL) -> SeedInterval:
    """The mean of a difference [n] that each of n seeds gives, by Student's t: one arm's
    `contrast`."""
    return contrast([differences], [1.0], level, clip_variance)


def mean(values: Floats, clip_variance: float = 0.0, level: float = LEVEL) -> SeedInterval:
    """The mean of a metric [n] over n seeds; p is that of a true mean of 0."""
    return paired(values, clip_variance, level)


def contrast(
    arms: Sequence[Floats],
    signs: Sequence[float],
    level: float = LEVEL,
    clip_variance: float = 0.0,
) -> SeedInterval:
    """The sum of the means of independent arms, each times its sign (Satterthwaite 1946).

    One arm of differences is a paired t interval, two are Welch's. clip_variance: what the clips
    add where the seeds share them (`arms_covariance`); 0 where each draws its own, since it is in
    their spread then. ValueError for no values, or NaN.
    """
    values = [_checked(arm) for arm in arms]
    value = sum(sign * float(arm.mean()) for sign, arm in zip(signs, values, strict=True))
    parts = [
        (sign**2 * _variance(arm), len(arm) - 1.0) for sign, arm in zip(signs, values, strict=True)
    ]
    return _interval(value, parts, clip_variance, level)


def combined(
    arms: Sequence[Floats],
    signs: Sequence[float],
    pairs: bool,
    level: float = LEVEL,
    clips: Sequence[Floats] | None = None,
    sources: ArrayLike = (),
) -> SeedInterval:
    """The sum of arms' means, each times its sign: paired seed by seed, or of independent arms.

    arms: values [n] of each. clips: [n, N] of each where all seeds share their clips, whose
    covariance then comes on top, with the source of each clip.
    """
    used = [place for place, sign in enumerate(signs) if sign]
    values, kept = [np.asarray(arms[place]) for place in used], [signs[place] for place in used]
    rows = [clips[place] for place in used] if clips else []
    if pairs:
        values = [np.asarray(sum(sign * arm for sign, arm in zip(kept, values, strict=True)))]
        if rows:
            rows = [np.asarray(sum(sign * arm for sign, arm in zip(kept, rows, strict=True)))]
        kept = [1.0]
    added = arms_covariance(rows, kept, sources) if rows else 0.0
    if math.isnan(added):
        value = sum(sign * float(arm.mean()) for sign, arm in zip(kept, values, strict=True))
        return SeedInterval(value, *[math.nan] * 6)
    return contrast(values, kept, level, added)


def arms_covariance(arms: Sequence[Floats], signs: Sequence[float], sources: ArrayLike) -> float:
    """What shared clips add to the variance of the sum of arms' means, each times its sign.

    arms: float64 [n, N] of each, of its seeds and of the clips, which all share. sources: the
    source of each clip, int64 [N]; clips of one source go together. Of one arm it is the mean
    covariance of two seeds' means over the same sources: with it, var / n over seeds plus this is
    the variance of the grand mean (Obuchowski and Rockette 1995, of readers and cases); of several
    that of seeds of an arm, and of any of two arms. 0 or more; NaN for fewer than two seeds or
    sources.
    """
    _, codes = np.unique(np.asarray(sources), return_inverse=True)
    count = int(codes.max()) + 1
    if count < 2 or min(map(len, arms)) < 2:
        return math.nan
    rows = [(arm - arm.mean(1, keepdims=True)) / arm.shape[1] for arm in arms]
    sums = [np.stack([np.bincount(codes, row, count) for row in arm]) for arm in rows]
    means = [sign * one.mean(0) for sign, one in zip(signs, sums, strict=True)]
    total = float((sum(means, np.zeros(count)) ** 2).sum())
    for sign, one in zip(signs, sums, strict=True):
        own, seeds = float((one.sum(0) ** 2).sum()), len(one)
        alone = float((one**2).sum())
        total += sign**2 * ((own - alone) / (seeds * (seeds - 1)) - own / seeds**2)
    return max(0.0, total * count / (count - 1))


def _checked(values: ArrayLike) -> Floats:
    made = np.asarray(values, np.float64)
    if made.ndim != 1 or not len(made) or not np.isfinite(made).all():
        raise ValueError(f"one finite value for each seed is wanted, not {made!r}")
    return made


def _variance(values: Floats) -> float:
    """Of the mean; NaN of one value, and 0 where values differ by rounding alone."""
    if len(values) < 2:
        return math.nan
    return 0.0 if np.ptp(values) < ROUNDING else float(values.var(ddof=1)) / len(values)


def _interval(value: float, seeds: Sequence[Part], clips: float, level: float) -> SeedInterval:
    """Of what the seeds of each arm and the clips add to the variance.

    The half width is sqrt(t^2 S + z^2 C) of the variances of seeds and of clips, each with its own
    border (as Zou and Donner 2008 add intervals up), so that clips never narrow it; df is that of a
    t interval of this width. Satterthwaite's degrees of freedom of the sum cover 91 % of 2 seeds.
    """
    from scipy.special import nctdtrinc, ndtri, stdtr, stdtridf, stdtrit

    spread = sum(part for part, _ in seeds)
    if not spread > 0:
        return SeedInterval(value, *[math.nan] * 6)
    df = spread**2 / sum(part**2 / df for part, df in seeds if part)
    error, tail = math.sqrt(spread + clips), (1 + level) / 2
    border = float(stdtrit(df, tail))
    if clips:
        border = math.sqrt(border**2 * spread + float(ndtri(tail)) ** 2 * clips) / error
        df = float(stdtridf(tail, border))
    p = 2 * float(stdtr(df, -abs(value) / error))
    away = float(nctdtrinc(df, 1 - POWER, border))
    low, high = value - border * error, value + border * error
    return SeedInterval(value, low, high, error, df, p, away * error)
