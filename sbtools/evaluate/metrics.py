"""What scores say of single clips, and metrics of sums over clips: numpy alone, no files.

N clips, K classes. Ties are broken at random, in expectation: where n classes share the highest
score, each is the answer with probability 1/n. A constant model is then at chance, whatever the
order of its classes. All shares are 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Answers:
    """Which classes have the highest score, or are the answer without one.

    first: int64 [N], the lowest of them; K and more stand for what is none of the K classes. ties:
    int64 [N], how many there are. tied: int64, the classes of those clips that have more than one,
    clip after clip.
    """

    first: Ints
    ties: Ints
    tied: Ints

    @classmethod
    def of(cls, scores: NDArray[np.floating]) -> Answers:
        """From scores [N, K]; none may be NaN."""
        top = scores.max(1, keepdims=True)
        at_top = scores == top
        ties = np.count_nonzero(at_top, 1).astype(np.int64)
        _, tied = np.nonzero(at_top[ties > 1])
        return cls(at_top.argmax(1).astype(np.int64), ties, tied.astype(np.int64))

    @classmethod
    def joined(cls, parts: Sequence[Answers]) -> Answers:
        """Those of several blocks of clips, one after another."""
        names = ("first", "ties", "tied")
        empty = np.zeros(0, np.int64)
        return cls(*(np.concatenate([empty, *(getattr(p, name) for p in parts)]) for name in names))

    def __len__(self) -> int:
        return len(self.first)

    def take(self, places: Ints) -> Answers:
        """The answers of these clips, in this order."""
        begin = self._begin
        sizes = np.where(self.ties > 1, self.ties, 0)[places]
        ends = np.cumsum(sizes)
        inner = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - sizes, sizes)
        tied = self.tied[np.repeat(begin[places], sizes) + inner]
        return Answers(self.first[places], self.ties[places], tied)

    @property
    def _begin(self) -> Ints:
        """Where each clip's classes begin in `tied`."""
        sizes = np.where(self.ties > 1, self.ties, 0)
        return np.cumsum(sizes) - sizes

    @property
    def spread(self) -> tuple[Ints, Ints]:
        """(clip, class) of every class that may be a clip's answer: int64 [M] each."""
        single = np.flatnonzero(self.ties == 1)
        many = np.flatnonzero(self.ties > 1)
        clips = np.concatenate([single, np.repeat(many, self.ties[many])])
        return clips, np.concatenate([self.first[single], self.tied])

    def share(self, classes: Ints) -> Floats:
        """float64 [N]: the probability that a clip's answer is its class of int64 [N]."""
        clips, found = self.spread
        right = np.bincount(clips, found == classes[clips], len(self))
        return right / np.maximum(self.ties, 1)


def top_k(scores: NDArray[np.floating], labels: Ints, k: int) -> Floats:
    """float64 [N]: the probability that the label is among the k highest of scores [N, K].

    With a scores above the label's and e equal to it, itself included: (k - a) / e, in 0 to 1.
    """
    above, equal = _standing(scores, labels)
    return np.clip((min(k, scores.shape[1]) - above) / equal, 0.0, 1.0)


def rank(scores: NDArray[np.floating], labels: Ints) -> Floats:
    """float64 [N]: the place of the label among scores [N, K], 1 for the highest, K for the lowest.

    Classes that score the same share the mean of their places: a + (e + 1) / 2, as in `top_k`.
    """
    above, equal = _standing(scores, labels)
    return above + (equal + 1) / 2


def _standing(scores: NDArray[np.floating], labels: Ints) -> tuple[NDArray[Any], NDArray[Any]]:
    """How many scores are above the label's, and how many equal it, itself included."""
    own = np.take_along_axis(scores, labels[:, None], 1)
    return np.count_nonzero(scores > own, 1), np.count_nonzero(scores == own, 1)


def agreement(a: Answers, b: Answers) -> Floats:
    """float64 [N]: the probability that one random order of the classes breaks both ties alike.

    |A and B| / |A or B| for tied sets A and B; 1 for equal sets, so that equal scores agree.
    """
    common = _meeting(a, b)
    return common / (a.ties + b.ties - common)


def both(a: Answers, a_labels: Ints, b: Answers, b_labels: Ints) -> Floats:
    """float64 [N]: the probability that both answers are right, ties broken by one random order.

    With equal labels it is that the label comes first of |A or B|; with others the product is
    taken, which is exact unless both are tied.
    """
    common = _meeting(a, b)
    right_a, right_b = a.share(a_labels), b.share(b_labels)
    together = (right_a > 0) & (right_b > 0)
    same = together / (a.ties + b.ties - common)
    return np.where(a_labels == b_labels, same, right_a * right_b)


def _meeting(a: Answers, b: Answers) -> Ints:
    """How many classes the tied sets of each clip have in common."""
    (a_clips, a_found), (b_clips, b_found) = a.spread, b.spread
    width = 1 + max(a_found.max(initial=0), b_found.max(initial=0))
    hit = np.isin(a_clips * width + a_found, b_clips * width + b_found, assume_unique=True)
    return np.bincount(a_clips[hit], minlength=len(a))


def confusion(answers: Answers, labels: Ints, classes: int) -> tuple[Ints, Ints, Floats]:
    """(label, predicted, count) of the cells that are not 0; a tie counts in equal parts.

    Answers that are none of the classes count under `classes`.
    """
    clips, found = answers.spread
    width = classes + 1
    cell = labels[clips] * width + np.minimum(found, classes)
    order = np.argsort(cell, kind="stable")
    cells, begin = np.unique(cell[order], return_index=True)
    parts = (1.0 / answers.ties[clips])[order]
    counts = np.add.reduceat(parts, begin) if len(parts) else parts
    return cells // width, cells % width, counts


def harmonic_mean(a: Floats, b: Floats) -> Floats:
    """2ab / (a + b), as of base and novel classes; 0 where both are 0, NaN where one is."""
    total = np.asarray(a + b, np.float64)
    return np.divide(2 * a * b, total, out=np.zeros_like(total), where=total != 0)


def rank_chance(classes: int) -> float:
    """The mean rank of a uniform guess: (K + 1) / 2."""
    return (classes + 1) / 2


def top_k_chance(classes: int, k: int = 1) -> float:
    """What a uniform guess scores: min(k, K) / K."""
    return min(k, classes) / classes
