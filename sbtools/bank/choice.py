"""Which frames a bank is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sbtools.errors import UsageError

_SLICE = re.compile(r"(\d*\.?\d+)-(\d*\.?\d+)")


class Permuting(Protocol):
    """What frames are drawn with: a numpy generator."""

    def permutation(self, x: int) -> NDArray[np.int64]:
        """0 to x - 1 in a random order."""


@dataclass(frozen=True)
class Slice:
    """The quantiles low to high of all scores, 0 to 1."""

    low: float
    high: float

    @classmethod
    def parse(cls, text: str) -> Slice:
        """Of LOW-HIGH, as in .5-1; UsageError for anything else."""
        found = _SLICE.fullmatch(text)
        if found and 0 <= float(found[1]) < float(found[2]) <= 1:
            return cls(float(found[1]), float(found[2]))
        raise UsageError(
            f"--quantiles is LOW-HIGH with 0 <= LOW < HIGH <= 1, as in .5-1, not '{text}'"
        )


UPPER = Slice(0.5, 1.0)
"""The half that tells most: that of most official trainings."""


def chosen(
    scores: NDArray[np.float32], part: Slice, count: int, draw: Permuting
) -> NDArray[np.int64]:
    """Places of at most `count` of the scores: those between two quantiles, in a drawn order.

    Sorted ascending, of equal ones the first before the later; from int(low n) to int(high n) of
    the n. Source: lihaoxin05/StillMix, StillMixFrameBankBlending, sorted_prop_pred.
    """
    n = len(scores)
    kept = np.argsort(scores, kind="stable")[int(part.low * n) : int(part.high * n)]
    return kept[draw.permutation(len(kept))[:count]]


@dataclass(frozen=True)
class Chosen:
    """Frames of one clip: their places among its scores, ascending, and these."""

    clip: int
    places: NDArray[np.int64]
    scores: NDArray[np.float32]


def by_clip(
    found: NDArray[np.int64], lengths: NDArray[np.int64], scores: NDArray[np.float32]
) -> Iterator[Chosen]:
    """Chosen places among the scores of all clips, which stand one clip after another."""
    ends = np.cumsum(lengths)
    ordered = np.sort(found)
    clips = np.searchsorted(ends, ordered, side="right")
    for clip in np.unique(clips):
        places = ordered[clips == clip]
        yield Chosen(int(clip), places - (ends[clip] - lengths[clip]), scores[places])
