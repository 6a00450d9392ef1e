"""The closed-form probe against scikit-learn's discriminant analysis, fold by fold, and by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from sbtools.audit import discriminant
from sbtools.audit.discriminant import Basis, Rule, Sums, cross_fitted, dealt
from sbtools.errors import SbtoolsError
from sbtools.probe.fit import cross_fitted as logistic


def blobs(
    count: int = 300, width: int = 8, classes: int = 4, apart: float = 1.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features in odd scales, of classes of different sizes; labels; clusters of three."""
    drawn = np.random.default_rng(seed)
    labels = drawn.choice(classes, count, p=np.arange(1, classes + 1) / sum(range(classes + 1)))
    centres = apart * drawn.standard_normal((classes, width))
    mixed = drawn.standard_normal((width, width))
    values = (drawn.standard_normal((count, width)) + centres[labels]) @ mixed
    return values * 10.0 ** drawn.uniform(-3, 3, width) + 50, labels, np.arange(count) // 3


def by_definition(
    fit: np.ndarray, labels: np.ndarray, test: np.ndarray, penalty: float, scale: float = 1.0
) -> np.ndarray:
    """Scores log p - scale ((x - m)' V^-1 (x - m) - tr(U^-1 T) / n) / 2 of each class of n clips: V
    is the covariance within classes mixed with I, T that of all clips, U the mixture of T."""
    scaler = StandardScaler().fit(fit)
    x, t = scaler.transform(fit), scaler.transform(test)
    known = np.unique(labels)
    means = np.stack([x[labels == each].mean(0) for each in known])
    centred = x - means[np.searchsorted(known, labels)]
    mixed = (centred.T @ centred / len(x) + penalty * np.eye(x.shape[1])) / (1 + penalty)
    within = np.linalg.inv(mixed)
    away = t[:, None] - means  # [N, K, D]
    total = x.T @ x / len(x)
    noise = np.trace(np.linalg.inv((total + penalty * np.eye(len(total))) / (1 + penalty)) @ total)
    scores = -0.5 * scale * np.einsum("nkd,de,nke->nk", away, within, away)
    scores += 0.5 * scale * noise / np.bincount(labels)[known]
    scores += np.log([np.mean(labels == each) for each in known])
    found: np.ndarray = known[scores.argmax(1)]
    return found


def rule_of(
    values: np.ndarray, labels: np.ndarray, penalty: float, scale: float = 1.0
) -> Callable[[Any], np.ndarray]:
    classes = int(labels.max()) + 1
    basis = Basis.of(Sums(len(values), values.sum(0), values.T @ values))
    one_hot = np.eye(classes)[labels]
    rule = Rule.of(basis, one_hot.T @ values, one_hot.sum(0), penalty)
    return lambda test: rule.answers(basis.place(test), [scale])[0]


@pytest.mark.parametrize("scale", discriminant.SCALES)
@pytest.mark.parametrize("penalty", [1e-4, 0.1, 3.0, 100.0])
def test_a_rule_is_the_discriminant_of_its_definition(penalty: float, scale: float) -> None:
    values, labels, _ = blobs()
    found = rule_of(values, labels, penalty, scale)(values)
    np.testing.assert_array_equal(found, by_definition(values, labels, values, penalty, scale))
    assert 0.4 < (found == labels).mean() < 1


def test_without_a_penalty_it_is_that_of_scikit_learn() -> None:
    values, labels, _ = blobs()
    even = np.concatenate([np.flatnonzero(labels == each)[:25] for each in range(4)])
    values, labels = values[even], labels[even]
    theirs = LinearDiscriminantAnalysis(solver="lsqr").fit(values, labels).predict(values)
    np.testing.assert_array_equal(rule_of(values, labels, 1e-9)(values), theirs)


def test_every_clip_is_answered_by_the_rule_of_the_other_folds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With one penalty to choose from; the folds are GroupKFold's."""
    monkeypatch.setattr(discriminant, "PENALTIES", (0.3,))
    monkeypatch.setattr(discriminant, "SCALES", (1.0,))
    monkeypatch.setattr(discriminant, "CHOICES", ((0.3, 1.0),))
    values, labels, clusters = blobs(240, 6)
    (found,) = cross_fitted(values, [labels], clusters, 4)
    for fit, test in GroupKFold(4).split(values, labels, clusters):
        wanted = by_definition(values[fit], labels[fit], values[test], 0.3)
        np.testing.assert_array_equal(found.predicted[test], wanted)
    assert found.choices == ((0.3, 1.0),) * 4 and found.unseen == 0


def test_the_choice_is_made_on_clips_that_the_fold_does_not_hold() -> None:
    """By hand: for each fold, the choice with most right when each other fold is answered by those
    that are left; of equal ones the strongest."""
    values, labels, clusters = blobs(150, 12, apart=0.5, seed=3)
    (found,) = cross_fitted(values, [labels], clusters, 5)
    fold = dealt(clusters, 5)
    for held in range(5):
        right = []
        for choice in discriminant.CHOICES:
            count = 0
            for asked in set(range(5)) - {held}:
                fit, test = ~np.isin(fold, [held, asked]), fold == asked
                answers = by_definition(values[fit], labels[fit], values[test], *choice)
                count += int((answers == labels[test]).sum())
            right.append(count)
        best = [at for at, count in enumerate(right) if count == max(right)]
        assert found.choices[held] == discriminant.CHOICES[best[-1]]
    assert len(set(found.choices)) > 1


def test_what_a_clip_is_labelled_does_not_change_what_it_is_answered() -> None:
    """Nor what those of its source are: else a probe would have seen the recording."""
    values, labels, clusters = blobs(120, 5)
    (before,) = cross_fitted(values, [labels], clusters)
    for group in (0, 7, 39):
        turned = labels.copy()
        turned[clusters == group] = (turned[clusters == group] + 1) % 4
        (after,) = cross_fitted(values, [turned], clusters)
        mine = clusters == group
        np.testing.assert_array_equal(after.predicted[mine], before.predicted[mine])


def test_recordings_that_are_learned_by_heart_are_of_no_use() -> None:
    """Each source has its own look and one label at random: by clips nearly all could be right."""
    drawn = np.random.default_rng(1)
    clusters = np.repeat(np.arange(60), 5)
    labels = drawn.integers(0, 3, 60)[clusters]
    values = drawn.standard_normal((60, 30))[clusters] + 0.01 * drawn.standard_normal((300, 30))
    (by_source,) = cross_fitted(values, [labels], clusters)
    (by_clip,) = cross_fitted(values, [labels], np.arange(300))
    assert (by_source.predicted == labels).mean() < 0.5 < 0.7 < (by_clip.predicted == labels).mean()


def test_several_labellings_are_answered_as_each_by_itself() -> None:
    values, labels, clusters = blobs(150)
    other = np.random.default_rng(0).integers(0, 7, 150)
    both = cross_fitted(values, [labels, other], clusters)
    for alone, together in zip((labels, other), both, strict=True):
        (single,) = cross_fitted(values, [alone], clusters)
        np.testing.assert_array_equal(single.predicted, together.predicted)
        assert single.choices == together.choices


def test_more_features_than_clips_some_that_do_not_vary_and_any_scale() -> None:
    drawn = np.random.default_rng(2)
    labels = drawn.integers(0, 3, 90)
    values = np.concatenate(
        [drawn.standard_normal((90, 150)), np.eye(3)[labels], np.full((90, 4), 7.0)], 1
    )
    (found,) = cross_fitted(values, [labels], np.arange(90))
    (same,) = cross_fitted(values * 1e4 - 3e5, [labels], np.arange(90))
    np.testing.assert_array_equal(found.predicted, same.predicted)
    assert (found.predicted == labels).mean() > 0.6
    (none,) = cross_fitted(np.ones((90, 4)), [labels], np.arange(90))
    assert (none.predicted == labels).mean() <= np.bincount(labels).max() / 90


def test_classes_that_a_fold_does_not_show_are_counted_and_never_named_there() -> None:
    values, labels, _ = blobs(90)
    labels = labels % 2
    labels[:2] = 2
    clusters = np.arange(90)
    clusters[:2] = 0
    (found,) = cross_fitted(values, [labels], clusters)
    assert found.unseen == 2 and set(found.predicted[:2]) <= {0, 1}


def test_what_cannot_be_probed_is_said() -> None:
    values, labels, _ = blobs(30)
    with pytest.raises(SbtoolsError, match=r"the clips are of 2 sources, .* needs three"):
        cross_fitted(values, [labels], np.arange(30) % 2)
    with pytest.raises(SbtoolsError, match="only one class"):
        cross_fitted(values[:9], [np.repeat([0, 1, 2], 3)], np.repeat([0, 1, 2], 3))


def test_classes_of_few_clips_are_named_as_well() -> None:
    """Of as many features as there are clips, ten classes apart, half of them of a third as many
    clips: logistic regression finds them, and so must the probe."""
    drawn = np.random.default_rng(7)
    labels = np.concatenate([np.repeat(np.arange(5), 30), np.repeat(np.arange(5, 10), 10)])
    drawn.shuffle(labels)
    centres = 0.3 * drawn.standard_normal((10, 200))
    values = centres[labels] + drawn.standard_normal((200, 200))
    (found,) = cross_fitted(values, [labels], np.arange(200))
    theirs = logistic(values, labels, np.arange(200)).predicted
    few = labels >= 5
    assert (found.predicted == labels)[few].mean() >= (theirs == labels)[few].mean() - 0.01
    assert (found.predicted == labels).mean() >= (theirs == labels).mean() - 0.01


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_it_reaches_what_logistic_regression_does(noise: float) -> None:
    """Within a point, where half of the labels are at random too."""
    drawn = np.random.default_rng(5)
    scenes = drawn.integers(0, 12, 1200)
    forced = drawn.random(1200) >= noise
    labels = np.where(forced, scenes, drawn.integers(0, 12, 1200))
    values = np.tanh(drawn.standard_normal((12, 64))[scenes] + drawn.standard_normal((1200, 64)))
    (found,) = cross_fitted(values, [labels], np.arange(1200))
    theirs = (logistic(values, labels, np.arange(1200)).predicted == labels).mean()
    share = (labels == scenes).mean()
    assert (found.predicted == labels).mean() >= theirs - 0.01
    assert abs((found.predicted == labels).mean() - share) < 0.03
