"""How much two sets of features of the same clips tell of each other: HSIC and CKA.

The kernels of N clips, N x N, are never held: a few rows at a time are made, and their sums kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sbtools.evaluate.intervals import LEVEL
from sbtools.evaluate.metrics import Floats, Ints

LEAST = 4
"""Clips without which the unbiased estimate is not defined."""

WIDTH_CLIPS = 2000
"""The median distance is that of as many clips at most."""

_VALUES = 1 << 20
"""Values of a kernel that are made at once; as float64 that is 8 MB."""


class Kernel(Protocol):
    """A symmetric function of two clips, for all pairs of N clips."""

    def rows(self, at: slice) -> Floats:
        """Some of its rows: float64 [B, N], a new array."""


class Linear:
    """a'b of features float64 [N, D] less their mean."""

    def __init__(self, x: Floats) -> None:
        self.x = x - x.mean(0)

    def rows(self, at: slice) -> Floats:
        found: Floats = self.x[at] @ self.x.T
        return found


class Gaussian:
    """exp(-|a - b|^2 / (2 width^2)) of features float64 [N, D]."""

    def __init__(self, x: Floats, width: float) -> None:
        self.x, self.width = x - x.mean(0), width
        self.lengths = (self.x**2).sum(1)

    def rows(self, at: slice) -> Floats:
        squares = _squares(self.x[at], self.x, self.lengths[at], self.lengths)
        found: Floats = np.exp(squares / (-2 * self.width**2))
        return found


def _squares(a: Floats, b: Floats, of_a: Floats, of_b: Floats) -> Floats:
    """|a - b|^2 of rows, whose own squares are given."""
    return np.maximum(of_a[:, None] + of_b - 2 * (a @ b.T), 0)


def median_width(x: Floats, draw: np.random.Generator) -> float:
    """The median distance of two clips, of `WIDTH_CLIPS` of them where there are more.

    The lower of the two middle ones; the mean distance where it is 0. x: float64 [N, D].
    """
    if len(x) > WIDTH_CLIPS:
        x = x[draw.choice(len(x), WIDTH_CLIPS, replace=False)]
    x = x - x.mean(0)
    lengths = (x**2).sum(1)
    above = np.triu_indices(len(x), 1)
    distances = np.sqrt(_squares(x, x, lengths, lengths)[above])
    middle = (len(distances) - 1) // 2
    return float(np.partition(distances, middle)[middle]) or float(distances.mean())


@dataclass(frozen=True)
class Sums:
    """Of two kernels A and B of N clips in J blocks, float64: over the clips of each block, [N, J],
    sums of A and B, of AB, AA and BB, each without the diagonal; and the diagonals [N]."""

    a: Floats
    b: Floats
    ab: Floats
    aa: Floats
    bb: Floats
    own_a: Floats
    own_b: Floats


def sums(first: Kernel, second: Kernel, blocks: Ints) -> Sums:
    """blocks: int64 [N], ascending: the block of each clip, 0 to J - 1, each with a clip."""
    count, starts = len(blocks), np.flatnonzero(np.diff(blocks, prepend=-1))
    found = _empty(count, len(starts))
    step = max(1, _VALUES // count)
    for start in range(0, count, step):
        at = slice(start, min(start + step, count))
        a, b = first.rows(at), second.rows(at)
        here = np.arange(at.start, at.stop)
        for rows, own in ((a, found.own_a), (b, found.own_b)):
            own[at] = rows[here - start, here]
            rows[here - start, here] = 0
        for out, values in _products(found, a, b):
            out[at] = np.add.reduceat(values, starts, axis=1)
    return found


def _empty(count: int, blocks: int) -> Sums:
    each, own = (count, blocks), (count,)
    return Sums(*(np.empty(shape) for shape in (each, each, each, each, each, own, own)))


def _products(found: Sums, a: Floats, b: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Where the sums of what go; one product at a time is made."""
    yield found.a, a
    yield found.b, b
    yield found.ab, a * b
    yield found.aa, a * a
    yield found.bb, b * b


@dataclass(frozen=True)
class Dependence:
    """Unbiased HSIC of A and B, and of each with itself.

    float64 [1 + J]: of all clips, then without the clips of each block; NaN where undefined.
    """

    hsic: Floats
    own_a: Floats
    own_b: Floats

    @property
    def normalised(self) -> Floats:
        """HSIC(A, B) / sqrt(HSIC(A, A) HSIC(B, B)), NaN where one of these is not above 0."""
        known = (self.own_a > 0) & (self.own_b > 0)
        roots = (np.sqrt(np.where(known, own, np.nan)) for own in (self.own_a, self.own_b))
        return self.hsic / math.prod(roots)


def dependence(found: Sums, blocks: Ints) -> Dependence:
    """The unbiased estimates, of all clips and without each block.

    1 / (n (n - 3)) [tr(AB) + 1'A1 1'B1 / ((n - 1)(n - 2)) - 2 / (n - 2) 1'AB1], diagonals 0.
    Song et al., "Feature selection via dependence maximization", JMLR 2012, equation 4.
    """
    own = blocks[:, None] == np.arange(blocks[-1] + 1)
    n = np.append(len(blocks), len(blocks) - own.sum(0)).astype(np.float64)
    a, b, ab, aa, bb = (
        _left(rows, own) for rows in (found.a, found.b, found.ab, found.aa, found.bb)
    )
    three = ((ab, a, b), (aa, a, a), (bb, b, b))
    return Dependence(*(_unbiased(both.sum(0), one, other, n) for both, one, other in three))


def _left(rows: Floats, own: NDArray[np.bool_]) -> Floats:
    """Row sums [N, 1 + J] over all clips, and over those of all blocks but one; 0 of its clips."""
    whole = rows.sum(1, keepdims=True)
    return np.hstack([whole, np.where(own, 0, whole - rows)])


def _unbiased(both: Floats, a: Floats, b: Floats, n: Floats) -> Floats:
    n = np.where(n < LEAST, np.nan, n)
    apart = a.sum(0) * b.sum(0) / ((n - 1) * (n - 2))
    found: Floats = (both + apart - 2 / (n - 2) * (a * b).sum(0)) / (n * (n - 3))
    return found


def biased_cka(found: Sums) -> float:
    """tr(AB) / sqrt(tr(AA) tr(BB)) of linear kernels of features less their mean, diagonals with
    them: ||Y'X||^2 / (||X'X|| ||Y'Y||), Kornblith et al. 2019, arXiv 1905.00414."""
    both = found.ab.sum() + found.own_a @ found.own_b
    one, other = (found.aa.sum() + found.own_a @ found.own_a,
                  found.bb.sum() + found.own_b @ found.own_b)  # fmt: skip
    return float(both / (np.sqrt(one) * np.sqrt(other)))


def jackknife(values: Floats, level: float = LEVEL) -> tuple[float, float] | None:
    """The interval of a value from those without each of J blocks of sources: float64 [1 + J].

    The value, plus and minus Student's t of J - 1 times the standard error, whose square is
    (J - 1) / J times the squared deviations of the J. No clip comes twice, as in a bootstrap's
    draws, where a clip and its copy are alike in both features. None where undefined.
    """
    from scipy.special import stdtrit

    value, left = values[0], values[1:]
    count = len(left)
    if count < 2 or not np.isfinite(values).all():
        return None
    error = np.sqrt((count - 1) / count * ((left - left.mean()) ** 2).sum())
    reach = float(stdtrit(count - 1, (1 + level) / 2) * error)
    return float(value) - reach, float(value) + reach


def permutation_p(a: Floats, b: Floats, draws: int, draw: np.random.Generator) -> float:
    """How often the HSIC of A and B, the clips of B in another order, is as high: (1 + hits) /
    (1 + draws).

    a, b: float64 [N, N] of clips that are independent of one another. Sums that no order changes
    are left out. Gretton et al. 2008, "A kernel statistical test of independence".
    """
    a, b = (each - np.diag(np.diag(each)) for each in (a, b))
    rows_a, rows_b, n = a.sum(1), b.sum(1), len(a)

    def changing(order: Ints) -> float:
        both = (a * b[np.ix_(order, order)]).sum()
        return float(both - 2 / (n - 2) * (rows_a @ rows_b[order]))

    least = changing(np.arange(n))
    least -= 1e-12 * abs(least)
    hits = sum(changing(draw.permutation(n)) >= least for _ in range(draws))
    return (1 + hits) / (1 + draws)
