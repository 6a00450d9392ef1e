"""A linear probe of many clips and classes in closed form, cross-fitted by source.

Linear discriminant analysis with a penalty (Friedman 1989, Regularized discriminant analysis;
Hastie, Buja and Tibshirani 1995): the classes have one covariance, which is mixed with that of
features which vary alike and by themselves. Every fold's probe, and every penalty of it, comes of
the sums of features, of their products and of classes in the folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sbtools.errors import SbtoolsError
from sbtools.evaluate.metrics import Floats, Ints

FOLDS, INNER = 5, 4
"""Folds, and how many of those that a probe is fitted to choose its penalty."""

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 0.3, 1.0, 3.0, 10.0, 100.0)
SCALES = (1.0, 0.3, 0.1)
CHOICES = tuple((penalty, scale) for penalty in PENALTIES for scale in SCALES)
"""What a probe chooses among, the strongest last: how much is added to the covariance, in variances
of a feature, and how much features count beside the frequencies of classes."""


@dataclass(frozen=True)
class Fitted:
    """What the probes say of each clip: predicted int64 [N], a class number.

    choices: of each fold, of `CHOICES`, as made on the others. unseen: clips of a class that their
    fold's probe was not shown.
    """

    predicted: Ints
    choices: tuple[tuple[float, float], ...]
    unseen: int


@dataclass(frozen=True)
class Sums:
    """Of the clips of some folds: how many, sums of features [D] and of their products [D, D]."""

    count: float
    total: Floats
    products: Floats

    def less(self, other: Sums) -> Sums:
        """Without the clips of `other`, which are among them."""
        return Sums(self.count - other.count, self.total - other.total,
                    self.products - other.products)  # fmt: skip


@dataclass(frozen=True)
class Basis:
    """Standardised features of a probe's clips in the axes of their covariance.

    mean, scale: [D], of the features; scale is 0 where one does not vary. axes [D, R], spread [R].
    """

    mean: Floats
    scale: Floats
    axes: Floats
    spread: Floats

    @classmethod
    def of(cls, sums: Sums) -> Basis:
        """From the sums of at least one clip."""
        mean = sums.total / sums.count
        cov = sums.products / sums.count - np.outer(mean, mean)
        deviation = np.sqrt(np.maximum(np.diag(cov), 0))
        varies = deviation > 1e-7
        scale = np.where(varies, 1 / np.where(varies, deviation, 1), 0.0)
        spread, axes = np.linalg.eigh(cov * np.outer(scale, scale))
        return cls(mean, scale, axes, np.maximum(spread, 0))

    def place(self, features: Floats) -> Floats:
        """Features [N, D] along the axes: [N, R]."""
        return ((features - self.mean) * self.scale) @ self.axes


@dataclass(frozen=True)
class Rule:
    """Scores of classes: scale * (places [N, R] @ weights [R, K] - half [K]) + logs [K], which are
    the logarithms of their frequencies; -inf for a class unseen."""

    weights: Floats
    half: Floats
    logs: Floats

    @classmethod
    def of(cls, basis: Basis, sums: Floats, counts: Floats, penalty: float) -> Rule:
        """By the sums of features [K, D] and clips [K] of each class.

        The covariance within classes, W, is that of all clips less that between classes, a matrix
        of rank K at most: (W + penalty I) / (1 + penalty) is inverted by Woodbury's identity. What
        the mean of a class of n clips seems farther away by, by chance, is taken off (Moran and
        Murphy 1979): the variance of features in that measure over n. Else a class of few clips is
        hardly ever named.
        """
        seen = counts > 0
        share = counts / counts.sum()
        means = np.where(seen[:, None], sums / np.maximum(counts, 1)[:, None], basis.mean)
        centres = basis.place(means)  # [K, R]
        inverse = centres / (basis.spread + penalty)
        between = share[:, None] * (inverse @ centres.T)  # [K, K]
        solved = np.linalg.solve(np.eye(len(share)) - between.T, inverse).T
        weights = (1 + penalty) * solved
        noise = (1 + penalty) * float((basis.spread / (basis.spread + penalty)).sum())
        length = np.einsum("kr,rk->k", centres, weights)
        half = 0.5 * (length - noise / np.maximum(counts, 1))
        with np.errstate(divide="ignore"):
            return cls(weights, half, np.log(share))

    def answers(self, places: Floats, scales: Sequence[float]) -> list[Ints]:
        """By each scale the class of the highest score, the first of equal ones."""
        near = places @ self.weights - self.half
        return [np.argmax(scale * near + self.logs, 1) for scale in scales]


def cross_fitted(
    features: NDArray[np.floating],
    labellings: Sequence[Ints],
    clusters: Ints,
    folds: int = FOLDS,
) -> list[Fitted]:
    """Answers to each labelling, int64 [N] each, by probes of the other folds.

    features [N, D]; clusters int64 [N], none of which is in two folds: they are dealt out as
    scikit-learn's GroupKFold does, to no more folds than there are clusters. A fold's probe
    makes the choice that names most clips right when each of the next four folds is answered by
    probes of those that are left. SbtoolsError for fewer than three folds or two classes.
    """
    return _Folds(features, labellings, dealt(clusters, folds)).fitted()


def dealt(clusters: Ints, folds: int) -> Ints:
    """The fold of each clip: int64 [N]. SbtoolsError where there are not three clusters."""
    from sklearn.model_selection import GroupKFold

    count = min(folds, len(np.unique(clusters)))
    if count < 3:
        raise SbtoolsError(
            f"the clips are of {count} sources, and an audit needs three, to fit, choose and test "
            "a probe on: give more clips, or records with their `source`"
        )
    found = np.empty(len(clusters), np.int64)
    for fold, (_, test) in enumerate(GroupKFold(count).split(clusters, groups=clusters)):
        found[test] = fold
    return found


class _Folds:
    """The sums of each fold, and probes of all but some of them."""

    def __init__(
        self, features: NDArray[np.floating], labellings: Sequence[Ints], fold: Ints
    ) -> None:
        self.rows = [np.flatnonzero(fold == each) for each in range(int(fold.max()) + 1)]
        self.labellings = labellings
        self.classes = [int(labels.max()) + 1 for labels in labellings]
        first = np.asarray(features, np.float64)
        spread = first.std(0)
        self.values = (first - first.mean(0)) / np.where(spread > 0, spread, 1.0)
        parts = [self._sums(rows) for rows in self.rows]
        self.parts = parts
        self.whole = Sums(
            sum(part.count for part in parts),
            np.sum([part.total for part in parts], 0),
            np.sum([part.products for part in parts], 0),
        )
        self.by_class = [[self._of_classes(at, rows) for rows in self.rows]
                         for at in range(len(labellings))]  # fmt: skip

    def _sums(self, rows: Ints) -> Sums:
        values = self.values[rows]
        return Sums(float(len(rows)), values.sum(0), values.T @ values)

    def _of_classes(self, at: int, rows: Ints) -> tuple[Floats, Floats]:
        labels, count = self.labellings[at][rows], self.classes[at]
        sums = np.zeros((count, self.values.shape[1]))
        np.add.at(sums, labels, self.values[rows])
        return sums, np.bincount(labels, minlength=count).astype(np.float64)

    def fitted(self) -> list[Fitted]:
        """Of each labelling."""
        count, many = len(self.rows), len(self.labellings)
        right = np.zeros((many, count, len(CHOICES)))
        for outer, inner in self._pairs():
            self._choose(right, outer, inner)
        chosen = len(CHOICES) - 1 - right[..., ::-1].argmax(-1)  # of equal ones the strongest
        predicted = np.empty((many, len(self.values)), np.int64)
        unseen = [0] * many
        for fold in range(count):
            basis = self._basis(fold)
            places = basis.place(self.values[self.rows[fold]])
            for at in range(many):
                sums, counts = self._without(at, fold)
                penalty, scale = CHOICES[chosen[at, fold]]
                rule = Rule.of(basis, sums, counts, penalty)
                (predicted[at, self.rows[fold]],) = rule.answers(places, [scale])
                unseen[at] += int((counts[self.labellings[at][self.rows[fold]]] == 0).sum())
        return [
            Fitted(predicted[at], tuple(CHOICES[place] for place in chosen[at]), unseen[at])
            for at in range(many)
        ]

    def _pairs(self) -> list[tuple[int, int]]:
        """Folds that are left out together: each with the next few."""
        count = len(self.rows)
        steps = range(1, min(INNER, count - 1) + 1)
        ahead = [(one, (one + step) % count) for one in range(count) for step in steps]
        return sorted({(min(pair), max(pair)) for pair in ahead})

    def _choose(self, right: Floats, one: int, other: int) -> None:
        """Count how many clips of either fold probes of all others name right, for each choice."""
        basis = self._basis(one, other)
        for held, asked in ((one, other), (other, one)):
            rows = self.rows[asked]
            places = basis.place(self.values[rows])
            for at, labels in enumerate(self.labellings):
                sums, counts = self._without(at, one, other)
                hits = [
                    float((answers == labels[rows]).sum())
                    for penalty in PENALTIES
                    for answers in Rule.of(basis, sums, counts, penalty).answers(places, SCALES)
                ]
                right[at, held] += hits

    def _basis(self, *left_out: int) -> Basis:
        sums = self.whole
        for fold in left_out:
            sums = sums.less(self.parts[fold])
        return Basis.of(sums)

    def _without(self, at: int, *left_out: int) -> tuple[Floats, Floats]:
        kept = [part for fold, part in enumerate(self.by_class[at]) if fold not in left_out]
        sums = np.sum([sums for sums, _ in kept], 0)
        counts = np.sum([counts for _, counts in kept], 0)
        if (counts > 0).sum() < 2:
            raise SbtoolsError("a fold leaves clips of only one class to learn from: more --folds")
        return sums, counts
