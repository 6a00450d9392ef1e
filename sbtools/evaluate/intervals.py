"""Bootstrap intervals over sources: clips of one recording are not independent.

A draw takes as many sources as there are, with replacement, and all clips of each (the cluster
bootstrap of Davison and Hinkley 1997, section 3.8); intervals are percentiles over the draws, the
wider the fewer the sources are. All metrics are evaluated on the same draws, so that ratios of them
are paired.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sbtools.evaluate.metrics import Floats, Ints
from sbtools.rng import generator

DRAWS, LEVEL = 1000, 0.95
BOOTSTRAP = "bootstrap"
_VALUES = 1 << 22
"""How many weights, or sums, are held at a time; as float64 that is 32 MB."""

Statistics = Callable[[Floats], Mapping[str, Floats]]
"""Weights [B, G] of sources to values [B] or [B, ...] by name."""


@dataclass(frozen=True)
class Clusters:
    """Which source each clip is from: codes int64 [N], each below `count`."""

    codes: Ints
    count: int

    @classmethod
    def of(cls, names: Sequence[str]) -> Clusters:
        """From a name a clip; the sources are numbered in order of first appearance."""
        numbers: dict[str, int] = {}
        codes = [numbers.setdefault(name, len(numbers)) for name in names]
        return cls(np.array(codes, np.int64), len(numbers))

    def take(self, places: Ints) -> Clusters:
        """Those of some of the clips; the sources keep their numbers."""
        return Clusters(self.codes[places], self.count)


def clusters(ids: Sequence[str], sources: Sequence[str], pair_of: Sequence[str]) -> list[str]:
    """The source of each clip, "" where it tells none: that of its original, else its own id."""
    if not any(pair_of):
        return [source or id for source, id in zip(sources, ids, strict=True)]
    place = {id: at for at, id in enumerate(ids)}
    found = list(sources)
    for start in range(len(ids)):
        way: dict[int, None] = {}
        at = start
        while not found[at] and at not in way:
            way[at] = None
            at = place.get(pair_of[at], at)
        source = found[at] or pair_of[at] or ids[at]
        for here in way:
            found[here] = source
    return found


def draw(
    count: int, draws: int, seed: int, width: int = 1, what: str = "sources"
) -> Iterator[Floats]:
    """How often each of `count` sources is drawn: float64 [B, count], `draws` rows in all.

    The same for one seed, whatever B, which keeps B times `count` and B times `width` small; `what`
    tells draws apart that must not go together.
    """
    rng = generator(seed, what, "bootstrap")
    rows = max(1, min(draws, _VALUES // max(count, width, 1)))
    for start in range(0, draws, rows):
        block = np.empty((min(rows, draws - start), count))
        for row in block:
            row[:] = np.bincount(rng.integers(0, count, count), minlength=count)
        yield block


class Sums:
    """Weighted sums of columns float64 [N, M] over the clips of each of `groups` groups.

    keys: int64 [N], the group of each clip; below 0 for none. Called with weights of sources
    [B, G], it gives [B, groups, M].
    """

    def __init__(self, columns: Floats, sources: Clusters, keys: Ints, groups: int) -> None:
        order = np.argsort(keys, kind="stable")
        self._columns = np.ascontiguousarray(columns[order])
        self._codes = sources.codes[order]
        self._edges = np.searchsorted(keys[order], np.arange(groups + 1))

    def __call__(self, weights: Floats) -> Floats:
        """Of one group after another, so that no copy of all weights is needed."""
        edges = self._edges
        sums = np.zeros((len(weights), len(edges) - 1, self._columns.shape[1]))
        for group in np.flatnonzero(np.diff(edges)):
            here = slice(edges[group], edges[group + 1])
            sums[:, group] = weights[:, self._codes[here]] @ self._columns[here]
        return sums


@dataclass(frozen=True)
class Estimate:
    """A statistic: its value, and the ends of its interval, of one shape; NaN where undefined.

    error is the standard error: of draws, their standard deviation. method names the interval.
    """

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    error: NDArray[np.float64]
    method: str = BOOTSTRAP

    def at(self, place: int) -> Estimate:
        """One of many."""
        value, low, high, error = (
            part[place] for part in (self.value, self.low, self.high, self.error)
        )
        return Estimate(value, low, high, error, self.method)


def bootstrap(
    statistics: Statistics,
    sources: int,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
) -> dict[str, Estimate]:
    """Each of the statistics with its percentile interval.

    With fewer than two sources, or no draws, the intervals are NaN. A statistic that a draw leaves
    undefined (NaN) is taken over the other draws. `statistics.width`, where there is one, says how
    many values it holds for each draw.
    """
    width = getattr(statistics, "width", 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = statistics(np.ones((1, sources)))
        blocks = [statistics(weights) for weights in draw(sources, draws, seed, width)]
    drawn = {name: [block[name] for block in blocks] for name in found}
    if sources < 2 or not blocks:
        drawn = {name: [np.full_like(value, np.nan)] for name, value in found.items()}
    return {
        name: estimate(value[0], np.concatenate(drawn[name]), sources, level)
        for name, value in found.items()
    }


def estimate(value: Floats, drawn: Floats, sources: int, level: float = LEVEL) -> Estimate:
    """Of a value [...] and what draws of so many sources gave, [draws, ...]."""
    low, high = percentiles(drawn, expanded(level, sources))
    known = np.where(np.isfinite(drawn), drawn, 0.0)
    count = np.isfinite(drawn).sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = known.sum(0) / count
        spread = np.where(np.isfinite(drawn), drawn - mean, 0.0)
        error = np.sqrt((spread**2).sum(0) / np.where(count > 1, count - 1, np.nan))
    undefined = np.isnan(value)
    low, high = (np.where(undefined, np.nan, end) for end in (low, high))
    return Estimate(np.asarray(value), low, high, np.asarray(error))


def expanded(level: float, sources: int) -> float:
    """The level whose percentiles are as wide as Student's t of so many sources at `level`.

    1 - 2 Phi(-sqrt(n / (n - 1)) t(n - 1)), the expanded percentiles of Hesterberg 2015; plain
    percentiles of n draws are too narrow by both factors.
    """
    from scipy.special import ndtr, stdtrit

    if sources < 2:
        return level
    border = math.sqrt(sources / (sources - 1)) * stdtrit(sources - 1, (1 + level) / 2)
    return float(1 - 2 * ndtr(-border))


def percentiles(drawn: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    """The ends of the interval over axis 0, undefined draws left out; NaN where all are."""
    tail = (1 - level) / 2
    some = np.isfinite(drawn).any(0)
    kept = np.where(some, np.where(np.isfinite(drawn), drawn, np.nan), 0.0)
    low, high = np.nanquantile(kept, [tail, 1 - tail], axis=0)
    return np.where(some, low, np.nan), np.where(some, high, np.nan)


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """NaN where the denominator is 0."""
    return np.divide(
        numerator,
        denominator,
        out=np.full(np.broadcast(numerator, denominator).shape, np.nan),
        where=denominator != 0,
    )
