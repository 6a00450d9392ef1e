"""How well a linear probe tells a target from features: what `sbtools probe` prints."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np

from sbtools import __version__
from sbtools.errors import SbtoolsError
from sbtools.evaluate.intervals import (
    DRAWS,
    LEVEL,
    Clusters,
    Estimate,
    bootstrap,
    clusters,
    ratio,
)
from sbtools.evaluate.metrics import Floats
from sbtools.evaluate.shares import EDGE, shares
from sbtools.probe.fit import FOLDS, C, cross_fitted
from sbtools.probe.gather import Gathered


def measure(
    found: Gathered, target: str, folds: int = FOLDS, draws: int = DRAWS, seed: int = 0
) -> dict[str, Any]:
    """The accuracy of a cross-fitted probe with its interval, and what it is to be read against.

    Shares are 0 to 1. Clusters are the sources of clips, as in the intervals of an evaluation.
    SbtoolsError where there are fewer than two classes, or one is of fewer than two clusters.
    """
    if not found.ids:
        raise SbtoolsError(f"no clip has a {target}{_how(target)}")
    order = sorted(range(len(found.ids)), key=found.ids.__getitem__)
    ids, targets, sources, pair_of = (
        [values[place] for place in order]
        for values in (found.ids, found.targets, found.sources, found.pair_of)
    )
    _require_distinct(ids)
    groups = clusters(ids, sources, pair_of)
    names = sorted(set(targets))
    _require_classes(names, targets, groups, target)
    classes = np.array([names.index(each) for each in targets], np.int64)
    features = np.stack([found.features[place] for place in order])
    numbers = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    fitted = cross_fitted(features, classes, numbers, folds)
    right = (fitted.predicted == classes).astype(np.float64)
    sure = interval(right, Clusters.of(groups), draws, seed)
    counts = np.bincount(classes, minlength=len(names))
    return {
        "target": target,
        "target_from": dict(sorted(found.origins.items())),
        "accuracy": float(right.mean()),
        "interval": None if np.isnan(sure.low) else [float(sure.low), float(sure.high)],
        "method": sure.method,
        "chance": 1 / len(names),
        "majority": float(counts.max() / len(ids)),
        "n": len(ids),
        "clusters": len(set(groups)),
        "classes": names,
        "counts": counts.tolist(),
        "failed": found.failed,
        "left_out": found.left_out,
        "features": features.shape[1],
        "folds": fitted.folds,
        "C": C,
        "unseen": fitted.unseen,
        "converged": fitted.converged,
        "bootstrap": {"draws": draws, "level": LEVEL, "seed": seed, "unit": "source"},
        "store": found.what,
        "sbtools": __version__,
    }


def interval(right: Floats, sources: Clusters, draws: int, seed: int) -> Estimate:
    """The share of clips, `right` float64 [N], by the cluster bootstrap.

    Where all draws agree, the interval is the exact one, so that it never has the width 0.
    """
    hits, clips = (np.bincount(sources.codes, each, sources.count) for each in (right, None))

    def share(weights: Floats) -> dict[str, Floats]:
        return {"accuracy": ratio(weights @ hits, weights @ clips)}

    found = bootstrap(share, sources.count, draws, seed)["accuracy"]
    if found.high - found.low > EDGE or np.isnan(found.low):
        return found
    return shares(right, np.ones(len(right)), sources).at(0)


def _how(target: str) -> str:
    return " (sbtools scenes makes scene scores)" if target == "scene" else ""


def _require_distinct(ids: list[str]) -> None:
    for before, after in pairwise(ids):
        if before == after:
            raise SbtoolsError(f"clip {after!a} is there twice: remove one")


def _require_classes(names: list[str], targets: list[str], groups: list[str], target: str) -> None:
    if len(names) < 2:
        raise SbtoolsError(f"every clip has the {target} {names[0]!a}: a probe needs two classes")
    held = Counter(name for name, _ in set(zip(targets, groups, strict=True)))
    few = [name for name in names if held[name] < 2]
    if few:
        raise SbtoolsError(
            f"{target} {few[0]!a} is of one source alone, and a probe learns from some and is "
            f"tested on others: leave out classes of one source ({len(few)} of {len(names)})"
        )
