"""A linear probe, cross-fitted so that no clip is answered by a probe that saw its recording."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.errors import SbtoolsError
from sbtools.evaluate.metrics import Ints

C, FOLDS, ROUNDS = 1.0, 5, 1000
"""The inverse weight of the penalty; folds; and the most rounds of the solver."""


@dataclass(frozen=True)
class Fitted:
    """What the probe says of each clip, and how it came to that.

    predicted: int64 [N], classes. folds: how many. unseen: clips of a class that their fold's probe
    was not shown. converged: whether every fold's solver came to its end.
    """

    predicted: Ints
    folds: int
    unseen: int
    converged: bool


def pipeline(c: float = C) -> Any:
    """Features less their mean, over their deviation; then multinomial logistic regression."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=ROUNDS))


def cross_fitted(
    features: NDArray[np.floating], classes: Ints, clusters: Ints, folds: int = FOLDS, c: float = C
) -> Fitted:
    """The answers of probes that were fitted to the other folds; a fold takes whole clusters.

    features [N, D], classes and clusters int64 [N]. As scikit-learn's GroupKFold deals them out;
    there are no more folds than clusters. SbtoolsError where a fold leaves one class alone.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import GroupKFold

    count = min(folds, len(np.unique(clusters)))
    values = np.asarray(features, np.float64)
    predicted = np.empty(len(classes), np.int64)
    unseen, converged = 0, True
    for fit, test in GroupKFold(count).split(values, classes, clusters):
        seen = np.unique(classes[fit])
        if len(seen) < 2:
            raise SbtoolsError("a fold leaves clips of only one class to learn from: more --folds")
        unseen += int((~np.isin(classes[test], seen)).sum())
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", ConvergenceWarning)
            probe = pipeline(c).fit(values[fit], classes[fit])
        converged &= not any(issubclass(each.category, ConvergenceWarning) for each in told)
        predicted[test] = probe.predict(values[test])
    return Fitted(predicted, count, unseen, converged)
