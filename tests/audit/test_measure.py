"""What counts as telling: shares, shuffled labels, p values, Holm's rule, by hand."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from sbtools.audit.lists import in_utd_form, lists, set_of
from sbtools.audit.measure import Labelled, judge, measured, p_above, shuffled
from sbtools.errors import SbtoolsError
from sbtools.evaluate.intervals import Clusters
from sbtools.evaluate.shares import shares


def labelled(labels: list[str], sources: list[str] | None = None) -> Labelled:
    given = sources or [""] * len(labels)
    return Labelled.of([
        {"id": f"{at:03}", "label": label, **({"source": source} if source else {})}
        for at, (label, source) in enumerate(zip(labels, given, strict=True))
    ])  # fmt: skip


def alone(count: int) -> Clusters:
    return Clusters(np.arange(count), count)


def test_clips_stand_in_the_order_of_their_ids_with_their_sources() -> None:
    clips = Labelled.of([
        {"id": "b", "label": "run", "source": "x"}, {"id": "a", "label": "walk", "source": "y"},
        {"id": "c", "label": "run", "pair_of": "a"}, {"id": "d", "label": "run"},
    ])  # fmt: skip
    assert (clips.ids, clips.classes) == (["a", "b", "c", "d"], ["run", "walk"])
    assert clips.labels.tolist() == [1, 0, 0, 0] and clips.majority == 0.75
    codes = clips.sources.codes.tolist()
    assert codes[0] == codes[2] and len(set(codes)) == 3
    for labels, told in (([], "no clip has a label"), (["a", "a"], "every clip has the label 'a'")):
        with pytest.raises(SbtoolsError, match=told):
            labelled(labels)


@pytest.mark.parametrize(("hits", "count", "rate"), [(30, 100, 0.2), (60, 100, 0.5), (9, 10, 0.5)])
def test_p_is_twice_the_binomial_tail_where_clips_are_their_own_sources(
    hits: int, count: int, rate: float
) -> None:
    """The exact interval begins above the rate where P(X >= hits) is below half of 1 - level."""
    right = np.arange(count) < hits
    wanted = 2 * float(binom.sf(hits - 1, count, rate))
    assert p_above(right, alone(count), rate) == pytest.approx(wanted, rel=1e-4)


def test_p_is_that_of_the_interval_where_clips_share_sources() -> None:
    drawn = np.random.default_rng(0)
    codes = np.repeat(np.arange(30), 5)
    right = (drawn.random(30) < 0.5)[codes] & (drawn.random(150) < 0.9)
    sources = Clusters(codes, 30)
    p = p_above(right, sources, 0.15)
    ones = np.ones(150)
    for level, above in ((1 - p * 1.01, True), (1 - p * 0.99, False)):
        low = shares(right.astype(float), ones, sources, level=level).low[0]
        assert (low > 0.15) == above
    assert 1e-9 < p and p > 3 * p_above(right, alone(150), 0.15)


def test_p_is_one_where_the_share_is_not_above() -> None:
    right = np.arange(100) < 20
    assert p_above(right, alone(100), 0.2) == p_above(right, alone(100), 0.5) == 1.0
    assert p_above(np.ones(100, bool), Clusters(np.zeros(100, np.int64), 1), 0.2) == 1.0


def test_shuffled_labels_are_as_many_of_each_and_stay_together_in_sources() -> None:
    codes = np.repeat(np.arange(40), 3)
    labels = np.random.default_rng(1).integers(0, 4, 40)[codes]
    mixed = shuffled(labels, codes, 0)
    assert Counter(mixed.tolist()) == Counter(labels.tolist())
    assert all(len(set(mixed[codes == code])) == 1 for code in range(40))
    assert 0.1 < (mixed == labels).mean() < 0.45
    np.testing.assert_array_equal(mixed, shuffled(labels, codes, 0))
    assert (mixed != shuffled(labels, codes, 1)).any()


def told(n: int = 240, signal: float = 1.0, floor: float | None = None, seed: int = 0) -> Any:
    """Of 4 classes, whose number stands in a share `signal` of features, `floor` of the floor's."""
    drawn = np.random.default_rng(seed)
    clips = labelled([f"class {at % 4}" for at in range(n)])

    def features(share: float) -> np.ndarray:
        known = np.where(drawn.random(n) < share, clips.labels, drawn.integers(0, 4, n))
        found: np.ndarray = np.eye(4)[known] + 0.1 * drawn.standard_normal((n, 4))
        return found

    own = features(signal)
    return measured(clips, own, None if floor is None else features(floor), 5, 0, 0.95)


def test_a_cue_tells_where_its_interval_after_holm_is_above_the_majority() -> None:
    """Of three p values .02, .03 and .5 Holm leaves .06, .06 and .5: none tells."""
    found = {name: told(80) for name in "abc"}
    for one, p in zip(found.values(), (0.02, 0.03, 0.5), strict=True):
        one.p = p
    judge(found, 0.95)
    assert [one.holm for one in found.values()] == pytest.approx([0.06, 0.06, 0.5])
    assert not any(one.tells for one in found.values())
    judge(found, 0.9)
    assert [one.tells for one in found.values()] == [True, True, False]


def test_what_a_cue_says_is_held_against_chance_and_shuffled_labels() -> None:
    full, none = told(signal=0.8), told(signal=0.0)
    assert float(full.share.value) > 0.75 and abs(full.shuffled - 0.25) < 0.1
    assert full.p < 1e-6 < 0.05 < none.p
    assert full.per_class.value.shape == (4,) and full.floor is None
    assert np.average(full.per_class.value) == pytest.approx(float(full.share.value))


def test_a_cue_whose_floor_says_as_much_does_not_tell() -> None:
    """Both are right far more often than the majority; the cue is right no more than its floor."""
    same, more = told(signal=0.6, floor=0.6), told(signal=0.8, floor=0.3)
    assert float(same.share.value) > 0.6 and same.p > 0.05
    assert float(same.floor.value) > 0.6 and same.beyond.low < 0 < same.beyond.high
    assert more.p < 1e-4 and float(more.beyond.low) > 0.2
    assert told(signal=0.3, floor=0.8).p == 1.0


def test_where_nothing_is_cues_seldom_tell() -> None:
    """Two-sided .05 in one direction: about 3 of 60 may, were clips' answers independent."""
    ps = [told(120, signal=0.0, seed=seed).p for seed in range(60)]
    assert sum(p < 0.05 for p in ps) <= 6 and sum(p < 0.01 for p in ps) <= 2


def test_the_lists_leave_out_what_is_named_and_are_balanced_by_a_draw() -> None:
    clips = labelled(["a"] * 6 + ["b"] * 4 + ["c"] * 3)
    named = np.zeros(13, bool)
    named[[0, 1, 6, 10, 11, 12]] = True
    found = lists(clips, named, 0)
    assert found.full == [f"{at:03}" for at in range(13)]
    assert found.debiased == [f"{at:03}" for at in (2, 3, 4, 5, 7, 8, 9)]
    assert (found.each, found.lost) == (3, ["c"])
    assert found.balanced[3:] == ["007", "008", "009"] and len(found.balanced) == 6
    assert set(found.balanced) <= set(found.debiased)
    drawn = {tuple(lists(clips, named, seed).balanced) for seed in range(20)}
    assert len(drawn) == 4 and lists(clips, named, 0) == found
    everything = lists(clips, np.ones(13, bool), 0)
    assert (everything.debiased, everything.balanced, everything.each) == ([], [], 0)
    assert everything.lost == ["a", "b", "c"]


def test_ids_are_file_names_as_utd_has_them_unless_two_are_the_same() -> None:
    clips = Labelled.of([{"id": f"{c}/v{at}", "label": c} for at, c in enumerate("aab")])
    own = lists(clips, np.array([True, False, False]), 0)
    assert in_utd_form(own) == (
        b'{\n "full": [\n  "v0",\n  "v1",\n  "v2"\n ],\n "debiased": [\n  "v1",\n  "v2"\n ],\n'
        b' "debiased-balanced": [\n  "v1",\n  "v2"\n ]\n}\n'
    )
    clash = Labelled.of([{"id": f"{c}/v", "label": c} for c in "ab"])
    assert b'"a/v"' in in_utd_form(lists(clash, np.zeros(2, bool), 0))


@pytest.mark.parametrize(
    ("datasets", "name"),
    [(["ucf101"] * 2, "ucf"), (["kinetics400"], "kinetics_400"), (["ssv2"], "ssv2"),
     (["demo"], "demo"), ([None], "clips"), (["ucf101", "ssv2"], "clips"), (["a/b c"], "a-b-c")],
)  # fmt: skip
def test_a_set_is_called_as_utd_calls_it(datasets: list[str | None], name: str) -> None:
    assert set_of(datasets) == name
