"""How often a cue names the label right, beside what tells nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sbtools.audit.discriminant import Fitted, cross_fitted
from sbtools.errors import SbtoolsError
from sbtools.evaluate.intervals import Clusters, Estimate, clusters
from sbtools.evaluate.metrics import Floats, Ints
from sbtools.evaluate.paired import holm
from sbtools.evaluate.shares import difference, difference_p, shares
from sbtools.records import Record
from sbtools.rng import generator

Features = NDArray[np.floating]
LEAST_P = 1e-12


@dataclass(frozen=True)
class Labelled:
    """Clips in the order of their ids; labels int64 [N], numbers of `classes`; their sources."""

    ids: list[str]
    classes: list[str]
    labels: Ints
    sources: Clusters

    @classmethod
    def of(cls, records: Sequence[Record]) -> Labelled:
        """SbtoolsError where they are of fewer than two classes."""
        ordered = sorted(records, key=lambda record: str(record["id"]))
        classes = sorted({record["label"] for record in ordered})
        if len(classes) < 2:
            told = f"every clip has the label {classes[0]!a}" if classes else "no clip has a label"
            raise SbtoolsError(f"{told}: an audit needs two classes or more")
        numbers = {name: number for number, name in enumerate(classes)}
        labels = np.array([numbers[record["label"]] for record in ordered], np.int64)
        ids, sources, pair_of = (
            [record.get(name) or "" for record in ordered] for name in ("id", "source", "pair_of")
        )
        return cls(ids, classes, labels, Clusters.of(clusters(ids, sources, pair_of)))

    @property
    def counts(self) -> Ints:
        """Clips of each class."""
        return np.bincount(self.labels, minlength=len(self.classes)).astype(np.int64)

    @property
    def majority(self) -> float:
        """The share of the most frequent class."""
        return float(self.counts.max() / len(self.labels))


@dataclass
class Measured:
    """What a probe of a cue says of N clips.

    right: bool [N]. share: of clips that are right, per_class: the same of each class. shuffled:
    the share that a probe of shuffled labels has right. floor: right of a probe of the floor alone,
    beyond: how much more the cue has right. p: that the cue tells no more than the most frequent
    class, or than its floor, two-sided; holm: p corrected for the number of cues.
    """

    fitted: Fitted
    right: NDArray[np.bool_]
    share: Estimate
    per_class: Estimate
    shuffled: float
    p: float
    floor: Estimate | None = None
    beyond: Estimate | None = None
    holm: float = 1.0
    tells: bool = field(default=False)


def measured(
    clips: Labelled, features: Features, floor: Features | None, folds: int, seed: int, level: float
) -> Measured:
    """Probe features [N, D] for the label, and where there are any, those of the cue's floor."""
    labels, sources = clips.labels, clips.sources
    mixed = shuffled(labels, sources.codes, seed)
    fitted, of_mixed = cross_fitted(features, [labels, mixed], sources.codes, folds)
    right = fitted.predicted == labels
    ones = np.ones(len(labels))
    found = Measured(
        fitted, right, shares(_floats(right), ones, sources, level=level).at(0),
        shares(_floats(right), ones, sources, labels, len(clips.classes), level),
        float((of_mixed.predicted == mixed).mean()), p_above(right, sources, clips.majority),
    )  # fmt: skip
    if floor is not None:
        _hold_against(found, clips, floor, folds, level)
    return found


def _hold_against(
    found: Measured, clips: Labelled, floor: Features, folds: int, level: float
) -> None:
    """Set what the floor tells by itself, and let p be of what the cue tells beyond it."""
    sources = clips.sources
    (alone,) = cross_fitted(floor, [clips.labels], sources.codes, folds)
    right = alone.predicted == clips.labels
    more = _floats(found.right) - _floats(right)
    found.floor = shares(_floats(right), np.ones(len(right)), sources, level=level).at(0)
    found.beyond = difference(more, sources, level=level)
    p = difference_p(more, sources) if more.mean() > 0 else None
    found.p = max(found.p, 1.0 if p is None else p)


def judge(found: Mapping[str, Measured], level: float) -> None:
    """Say which cues tell: their p is below 1 - level after Holm's correction."""
    for one, corrected in zip(found.values(), holm([m.p for m in found.values()]), strict=True):
        one.holm = corrected
        one.tells = corrected < 1 - level


def shuffled(labels: Ints, codes: Ints, seed: int) -> Ints:
    """The labels dealt out anew, [N]: sources in a drawn order hand theirs on, clip after clip.

    So there are as many of each class as before, and clips of one source mostly keep one label.
    """
    drawn = generator(seed, "sources", "shuffled labels").permutation(int(codes.max()) + 1)
    mixed = np.empty_like(labels)
    mixed[np.argsort(codes, kind="stable")] = labels[np.argsort(drawn[codes], kind="stable")]
    return mixed


def p_above(right: NDArray[np.bool_], sources: Clusters, rate: float) -> float:
    """The two-sided p of a share against a fixed rate below it: 1 less the level at which the
    interval of `shares` begins there. 1 where the share is not above the rate."""
    values, ones = _floats(right), np.ones(len(right))

    def above(p: float) -> bool:
        return bool(shares(values, ones, sources, level=1 - p).low[0] > rate)

    if not values.mean() > rate or not above(1 - 1e-9):
        return 1.0
    low, high = math.log(LEAST_P), 0.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if above(min(math.exp(middle), 1 - 1e-9)) else (middle, high)
    return math.exp(high)


def _floats(right: NDArray[np.bool_]) -> Floats:
    return right.astype(np.float64)
