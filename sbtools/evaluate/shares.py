"""Intervals of shares, and of differences of shares, that are computed and not drawn.

Clips of one source are not independent: they count as fewer, so many that the variance between
sources comes out (Korn and Graubard 1998). Neither kind of interval ever has the width 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sbtools.evaluate.intervals import LEVEL, Clusters, Estimate
from sbtools.evaluate.metrics import Floats, Ints

CLOPPER_PEARSON, KORN_GRAUBARD = "clopper-pearson", "korn-graubard"
BONETT_PRICE = "bonett-price"
EDGE = 1e-12
COPIES = 0.5
"""The weight, in sources, of the assumption that clips of a source are copies of one another."""


def clopper_pearson(hits: Floats, count: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    """The exact interval of a binomial share (Clopper and Pearson 1934), at any of many places.

    hits, count: 0 <= hits <= count, of any broadcastable shape; they need not be whole. NaN where
    count is not above 0.
    """
    from scipy.special import betaincinv

    tail, some = (1 - level) / 2, count > 0
    hits, count = np.where(some, hits, 0.0), np.where(some, count, 1.0)
    low = betaincinv(np.maximum(hits, EDGE), count - hits + 1, tail)
    high = betaincinv(hits + 1, np.maximum(count - hits, EDGE), 1 - tail)
    low, high = np.where(hits > 0, low, 0.0), np.where(hits < count, high, 1.0)
    return np.where(some, low, np.nan), np.where(some, high, np.nan)


def shares(
    values: Floats,
    weights: Floats,
    sources: Clusters,
    keys: Ints | None = None,
    groups: int = 1,
    level: float = LEVEL,
) -> Estimate:
    """The weighted mean of values of 0 to 1, of each group: float64 [groups].

    values, weights, keys: [N]; a clip of weight 0 does not count. Exact where each clip that counts
    is its own source and all weigh the same. Else the exact interval of an effective number of
    clips, see `effective`. NaN where all clips are of one source.
    """
    kept = np.flatnonzero(weights > 0)
    keys = np.zeros(len(kept), np.int64) if keys is None else keys[kept]
    values, weights, codes = values[kept], weights[kept], sources.codes[kept]
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.bincount(keys, weights, groups)
        share = np.bincount(keys, weights * values, groups) / total
        found = effective(
            values - share[keys], weights / total[keys], codes, keys, share * (1 - share),
            (values > EDGE, values < 1 - EDGE), level,
        )  # fmt: skip
        low, high = clopper_pearson(share * found.size, found.size, level)
    method = CLOPPER_PEARSON if found.independent else KORN_GRAUBARD
    return Estimate(share, low, high, np.sqrt(found.variance), method)


def difference(
    values: Floats, sources: Clusters, span: float = 1.0, level: float = LEVEL
) -> Estimate:
    """The mean of paired differences [N] of -span to span, one for each clip: a scalar.

    Two clips more, one of -1 and one of 1, and the normal interval of all (Bonett and Price 2012),
    which leaves no width of 0 where no clip differs; where clips share sources, of the effective
    number of clips. error is that of this interval. NaN where all clips are of one source.
    """
    from scipy.special import ndtri

    value = float(values.mean())
    mean, error = _with_two_more(values, sources, level)
    half = float(ndtri((1 + level) / 2)) * error
    low, high = (float(np.clip(end, -span, span)) for end in (mean - half, mean + half))
    if math.isfinite(error):
        low, high = min(low, value), max(high, value)
    ends = np.asarray(low), np.asarray(high)
    return Estimate(np.asarray(value), *ends, np.asarray(error), BONETT_PRICE)


def difference_p(values: Floats, sources: Clusters) -> float | None:
    """The two-sided p that goes with the interval of `difference`; None where there is none."""
    from scipy.special import ndtr

    mean, error = _with_two_more(values, sources, LEVEL)
    return 2 * float(ndtr(-abs(mean) / error)) if math.isfinite(error) else None


def _with_two_more(values: Floats, sources: Clusters, level: float) -> tuple[float, float]:
    """The mean with one clip of -1 and one of 1 more, and its standard error."""
    count = len(values)
    centred, keys = values - values.mean(), np.zeros(count, np.int64)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = effective(
            centred, np.full(count, 1 / count), sources.codes, keys,
            np.array([np.mean(centred**2)]), (np.abs(values) > EDGE,), level,
        )  # fmt: skip
    size = float(found.size[0])
    mean = float(values.mean()) * size / (size + 2)
    square = (float(np.mean(values**2)) * size + 2) / (size + 2)
    return mean, math.sqrt((square - mean**2) / (size + 2))


@dataclass(frozen=True)
class Effective:
    """How many independent clips say as much as the clips of each group: float64 [groups].

    variance: of the mean, between sources. independent: every clip its own source, of one weight.
    """

    size: Floats
    variance: Floats
    independent: bool


def effective(
    centred: Floats,
    weights: Floats,
    codes: Ints,
    keys: Ints,
    spread: Floats,
    happened: Sequence[NDArray[np.bool_]],
    level: float,
) -> Effective:
    """The effective number of clips (Korn and Graubard 1998), at most as many as there are.

    centred, weights (whose sum is 1 in each group), codes (of sources), keys (of groups): [N].
    spread: [groups], the variance of a clip. The variance between sources is the jackknife's; it
    says little of what happened (bool [N] each) in few sources, so that of clips that are copies
    within their source is weighed in, as half a source. From few sources Student's t tells more
    than the normal border, and that lessens the clips once more.
    """
    from scipy.special import ndtri, stdtrit

    groups, many = len(spread), int(codes.max(initial=0)) + 1
    pairs, inverse = np.unique(keys * many + codes, return_inverse=True)
    own = pairs // many
    clips, sources = (np.bincount(at, minlength=groups).astype(np.float64) for at in (keys, own))
    part = np.bincount(inverse, weights, len(pairs))
    sums = np.bincount(inverse, weights * centred, len(pairs))
    left_out = np.bincount(own, (sums / (1 - part)) ** 2, groups)
    variance = np.where(sources > 1, left_out * (sources - 1) / sources, np.nan)
    copies = np.bincount(own, part**2, groups)
    seen = np.min([_seen(one, inverse, own, len(pairs), groups) for one in happened], 0)
    mixed = (seen * variance + COPIES * spread * copies) / (seen + COPIES)
    most = 1 / np.bincount(keys, weights**2, groups)
    border = (1 + level) / 2
    few = (ndtri(border) / stdtrit(np.maximum(1 / copies - 1, 1e-3), border)) ** 2
    size = np.where(spread < EDGE, 1 / copies, np.minimum(most, few * spread / mixed))
    alone = (sources == clips) & np.isclose(most, clips)
    size = np.where(alone, clips, np.where(sources > 1, size, np.nan))
    return Effective(size, variance, bool(alone[clips > 0].all()))


def _seen(happened: NDArray[np.bool_], inverse: Ints, own: Ints, pairs: int, groups: int) -> Floats:
    """In how many sources of each group it happened."""
    there = np.bincount(inverse, happened, pairs) > 0
    return np.bincount(own, there, groups).astype(np.float64)
