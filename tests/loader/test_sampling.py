"""Sampling against the rules worked out by hand, in fractions."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from sbtools.loader import sampling

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
