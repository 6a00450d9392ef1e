"""Against scikit-learn, and against every order of the classes that could break a tie."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import (
    balanced_accuracy_score,
    confusion_matrix,
    top_k_accuracy_score,
)

from sbtools.evaluate.metrics import (
    Answers,
    agreement,
    both,
    confusion,
    harmonic_mean,
    top_k,
    top_k_chance,
)

CLASSES = 4


def tied_scores(seed: int, clips: int = 60, classes: int = CLASSES) -> np.ndarray:
    """Scores of few values, so that most clips have ties."""
    return np.random.default_rng(seed).integers(0, 3, (clips, classes)).astype(np.float32)


def orders(scores: np.ndarray) -> list[np.ndarray]:
    """The ranking of each clip under every order of the classes: [clips, K] each, best first."""
    found = []
    for order in permutations(range(scores.shape[1])):
        first = np.argsort(-scores[:, order], axis=1, kind="stable")
        found.append(np.array(order)[first])
    return found


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(9).integers(0, CLASSES, 60)


def test_without_ties_it_is_what_scikit_learn_says() -> None:
    rng = np.random.default_rng(1)
    scores = rng.standard_normal((500, 12), np.float32)
    truth = rng.integers(0, 12, 500)
    answers = Answers.of(scores)
    for k in (1, 5):
        expected = top_k_accuracy_score(truth, scores, k=k, labels=range(12))
        assert top_k(scores, truth, k).mean() == pytest.approx(expected, abs=1e-12)
    assert (answers.share(truth) == (answers.first == truth)).all()
    table = np.zeros((12, 12))
    rows, columns, counts = confusion(answers, truth, 12)
    table[rows, columns] = counts
    assert (table == confusion_matrix(truth, scores.argmax(1), labels=range(12))).all()
    recall = [answers.share(truth)[truth == c].mean() for c in range(12)]
    assert np.mean(recall) == pytest.approx(balanced_accuracy_score(truth, scores.argmax(1)))


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_hits_are_expected_over_all_ways_to_break_ties(k: int, labels: np.ndarray) -> None:
    scores = tied_scores(2)
    slow = np.mean([(rank[:, :k] == labels[:, None]).any(1) for rank in orders(scores)], axis=0)
    assert top_k(scores, labels, k) == pytest.approx(slow)
    if k == 1:
        assert Answers.of(scores).share(labels) == pytest.approx(slow)


def test_two_answers_agree_as_one_order_breaks_both_ties(labels: np.ndarray) -> None:
    one, two = tied_scores(3), tied_scores(4)
    other = np.roll(labels, 1)
    a, b = Answers.of(one), Answers.of(two)
    ranks = list(zip(orders(one), orders(two), strict=True))
    same = np.mean([x[:, 0] == y[:, 0] for x, y in ranks], axis=0)
    assert agreement(a, b) == pytest.approx(same)
    right = np.mean([(x[:, 0] == labels) & (y[:, 0] == labels) for x, y in ranks], axis=0)
    assert both(a, labels, b, labels) == pytest.approx(right)
    single = (a.ties == 1) | (b.ties == 1)
    mixed = np.mean([(x[:, 0] == labels) & (y[:, 0] == other) for x, y in ranks], axis=0)
    unlike = single & (labels != other)
    assert unlike.sum() > 10
    assert both(a, labels, b, other)[unlike] == pytest.approx(mixed[unlike])


def test_a_confusion_shares_ties_out(labels: np.ndarray) -> None:
    scores = tied_scores(5)
    slow = np.zeros((CLASSES, CLASSES))
    for rank in orders(scores):
        np.add.at(slow, (labels, rank[:, 0]), 1 / 24)
    fast = np.zeros((CLASSES, CLASSES))
    rows, columns, counts = confusion(Answers.of(scores), labels, CLASSES)
    assert (counts > 0).all()
    fast[rows, columns] = counts
    assert fast == pytest.approx(slow)


@pytest.mark.parametrize("classes", [1, 3, 7])
def test_a_constant_model_is_at_chance_whatever_the_labels(classes: int) -> None:
    scores = np.full((20, classes), -2.5, np.float32)
    for label in range(classes):
        truth = np.full(20, label)
        assert Answers.of(scores).share(truth) == pytest.approx(1 / classes)
        assert top_k(scores, truth, 5) == pytest.approx(min(5, classes) / classes)
    assert top_k_chance(classes, 5) == min(5, classes) / classes


def test_minus_infinity_is_a_score() -> None:
    scores = np.array([[-np.inf, -1.0, -np.inf], [-np.inf] * 3], np.float32)
    answers = Answers.of(scores)
    assert answers.share(np.array([1, 2])).tolist() == [1.0, pytest.approx(1 / 3)]
    assert top_k(scores, np.array([0, 0]), 2).tolist() == [0.5, pytest.approx(2 / 3)]


def test_answers_can_be_taken_and_joined_in_any_order(labels: np.ndarray) -> None:
    scores = tied_scores(6)
    places = np.random.default_rng(0).permutation(60)[:41]
    taken = Answers.of(scores).take(places)
    direct = Answers.of(scores[places])
    for name in ("first", "ties", "tied"):
        assert (getattr(taken, name) == getattr(direct, name)).all()
    joined = Answers.joined([Answers.of(scores[:7]), Answers.of(scores[7:])])
    assert (joined.share(labels) == Answers.of(scores).share(labels)).all()
    assert len(Answers.joined([])) == 0


def test_harmonic_means_by_hand() -> None:
    found = harmonic_mean(np.array([0.6, 0.5, 0.0, 0.3]), np.array([0.3, 0.5, 0.0, 0.0]))
    assert found == pytest.approx([0.4, 0.5, 0.0, 0.0])
