"""Sampling against the rules worked out by hand, in fractions."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from sbtools.errors import UsageError
from sbtools.loader import sampling
from sbtools.models.recipe import Recipe

COUNTS = [1, 2, 7, 8, 9, 31, 100, 301]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("frames", [1, 3, 8, 16])
def test_test_rules_by_fractions(count: int, frames: int) -> None:
    share = Fraction(count, frames)
    vifi = [floor(i * share + share / 2) for i in range(frames)]
    assert sampling.test("vifi", count, frames) == vifi
    if count > frames > 1:
        later = [floor(i * share + (share - 1) / 2) for i in range(frames)]
        assert sampling.test("actionclip", count, frames) == later


def test_by_hand() -> None:
    assert sampling.test("vifi", 32, 8) == [2, 6, 10, 14, 18, 22, 26, 30]
    assert sampling.test("actionclip", 32, 8) == [1, 5, 9, 13, 17, 21, 25, 29]
    assert sampling.test("actionclip", 4, 8) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert sampling.test("actionclip", 9, 1) == [4]


@pytest.mark.parametrize("rule", ["vifi", "actionclip"])
@pytest.mark.parametrize("count", [8, 30, 33])
def test_training_draws_once_a_segment_and_reaches_all_of_it(rule: str, count: int) -> None:
    draw = np.random.default_rng(0)
    drawn = np.array([sampling.training(rule, count, 8, draw) for _ in range(600)])
    if rule == "vifi":
        edges = [i * (count // 8) for i in range(9)]
    else:
        edges = [i * count // 8 for i in range(9)]
    for places, low, high in zip(drawn.T, edges, edges[1:], strict=False):
        assert set(places) == set(range(low, high))


def test_short_clips_in_training() -> None:
    draw = np.random.default_rng(0)
    assert sampling.training("vifi", 6, 8, draw) == [0, 1, 2, 2, 3, 4, 4, 5]
    for _ in range(20):
        places = sampling.training("actionclip", 6, 8, draw)
        assert places == sorted(places) and set(places) == set(range(6)) and len(places) == 8


def test_several_clips_take_turns() -> None:
    clips = [sampling.test("vifi", 64, 8, clip, 4) for clip in range(4)]
    assert clips[0] == [1 + 8 * i for i in range(8)]
    assert clips[3] == [7 + 8 * i for i in range(8)]
    assert sorted(place for places in clips for place in places) == sampling.test("vifi", 64, 32)


@pytest.mark.parametrize("rule", ["vifi", "actionclip"])
def test_possible_holds_all_that_is_shown(rule: str) -> None:
    assert list(sampling.possible(rule, 50, 8, 1, fixed=False)) == list(range(50))
    kept = set(sampling.possible(rule, 50, 8, 3, fixed=True))
    shown = [sampling.test(rule, 50, 8, clip, 3) for clip in range(3)]
    assert kept == set(sampling.test(rule, 50, 8)).union(*shown)


@pytest.mark.parametrize("count", [1, 5, 15, 16, 17, 30, 64, 100])
@pytest.mark.parametrize(("rule", "segments", "length", "stride"), [
    ("segments:8x1", 8, 1, 1), ("segments:3x5", 3, 5, 1), ("dense:8x2", 1, 8, 2),
    ("dense:4x1", 1, 4, 1),
])  # fmt: skip
def test_tests_show_what_mmaction_shows(
    rule: str, count: int, segments: int, length: int, stride: int
) -> None:
    """Starts (i + 1/2) (N - L + 1) / n in fractions, L = length x stride; 0 where N < L; loop."""
    span = length * stride
    for clips in (1, 3):
        share = Fraction(max(0, count - span + 1), segments * clips)
        starts = [floor((i + Fraction(1, 2)) * share) for i in range(segments * clips)]
        for clip in range(clips):
            shown = [
                (start + stride * k) % count for start in starts[clip::clips] for k in range(length)
            ]
            assert sampling.test(rule, count, len(shown), clip, clips) == shown


@pytest.mark.parametrize("count", [30, 33, 64])
def test_training_draws_each_segment_and_the_dense_clip_from_all_it_may_begin_at(
    count: int,
) -> None:
    draw = np.random.default_rng(0)
    drawn = np.array([sampling.training("segments:3x5", count, 15, draw) for _ in range(900)])
    each = (count - 4) // 3
    for number in range(3):
        begun = drawn[:, 5 * number]
        assert set(begun) == set(range(number * each, (number + 1) * each))
    assert (np.diff(drawn.reshape(-1, 3, 5)) == 1).all()
    drawn = np.array([sampling.training("dense:8x2", count, 8, draw) for _ in range(900)])
    assert set(drawn[:, 0]) == set(range(count - 15)) and (np.diff(drawn) == 2).all()


def test_segments_of_one_frame_are_vifi() -> None:
    for count in (3, 8, 9, 40):
        ours, theirs = (
            sampling.training(rule, count, 8, np.random.default_rng(1))
            for rule in ("segments:8x1", "vifi")
        )
        assert ours == theirs
        if count >= 8:
            assert sampling.test("segments:8x1", count, 8) == sampling.test("vifi", count, 8)


def test_short_clips_begin_anew() -> None:
    draw = np.random.default_rng(0)
    assert sampling.training("dense:8x2", 6, 8, draw) == [0, 2, 4, 0, 2, 4, 0, 2]
    assert sampling.training("segments:2x4", 3, 8, draw) == [0, 1, 2, 0, 0, 1, 2, 0]
    crowded = [sampling.training("segments:8x4", 10, 32, draw)[::4] for _ in range(50)]
    assert all(sorted(starts) == starts for starts in crowded)
    assert {start for starts in crowded for start in starts} == set(range(7))
    assert sampling.training("segments:8x4", 8, 32, draw)[::4] == [0, 1, 1, 2, 2, 3, 4, 4]


def test_a_rule_that_is_none_is_named() -> None:
    for rule in ("dense", "dense:8", "segments:0x2", "dense:8x2x2", "uniform"):
        with pytest.raises(UsageError, match=f"or albar:TxS, not '{rule}'"):
            Recipe(sampling=rule)
    with pytest.raises(UsageError, match="dense:8x2 shows 8 frames, not 4"):
        sampling.require_frames("dense:8x2", 4)
    sampling.require_frames("segments:2x4", 8)
    sampling.require_frames("vifi", 5)
