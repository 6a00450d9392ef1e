"""What decides an action is what its group says."""

from __future__ import annotations

import numpy as np
import pytest

from sbtools.demo.actions import ACTIONS, NAMES, VERBS, Phase
from sbtools.demo.motion import Motion, draw, phases
from sbtools.demo.render import Shown, render
from sbtools.demo.scenes import SCENES, texture

STILL = (0.0, 0.0, 0.0)


def poses(action: str, count: int = 12) -> list[tuple[object, ...]]:
    act = ACTIONS[action].pose
    turn = [Phase(beat, beat / count, STILL) for beat in range(count)]
    return [(p.arm_left, p.arm_right, p.leg_left, p.leg_right) for p in map(act, turn)]


def test_there_are_three_groups_of_four() -> None:
    groups = [action.group for action in ACTIONS.values()]
    assert groups == ["pose"] * 4 + ["bag"] * 4 + ["order"] * 4
    assert len({action.text for action in ACTIONS.values()}) == 12
    assert set(VERBS.values()) <= set(NAMES) and len(VERBS) == 6


def test_poses_are_held_and_differ() -> None:
    held = {name: set(poses(name)) for name in NAMES[:4]}
    assert all(len(found) == 1 for found in held.values())
    assert len(set.union(*held.values())) == 4


def test_bags_share_their_poses_and_differ_as_sets() -> None:
    sets = {name: frozenset(poses(name)) for name in NAMES[4:8]}
    assert [len(found) for found in sets.values()] == [2, 2, 2, 3]
    assert len(set(sets.values())) == 4
    assert frozenset.union(*sets.values()) == sets["wave-all"]
    symbols = [ACTIONS[name].symbols for name in NAMES[4:8]]
    assert [len(found) for found in symbols] == [2, 2, 2, 3]


def motion(source: str = "x", seed: int = 0) -> Motion:
    return draw(seed, source, 64)


def cycles(name: str, source: str) -> list[float]:
    return [phase.cycle for phase in phases(motion(source), ACTIONS[name], 16)]


@pytest.mark.parametrize(("one", "other"), [("raise", "lower"), ("walk-right", "walk-left")])
def test_order_is_the_same_movement_run_backward(one: str, other: str) -> None:
    assert ACTIONS[one].pose is ACTIONS[other].pose
    assert ACTIONS[one].symbols == ACTIONS[other].symbols
    forward, backward = cycles(one, "s"), cycles(other, "s")
    assert np.diff(forward) == pytest.approx(-np.diff(backward))
    assert np.diff(forward)[0] > 0


def centres(name: str, source: str) -> list[float]:
    frames = render(Shown(source, name, "sky", "red"), 64, 16, 0)
    return [float(np.nonzero(frame.person)[1].mean()) for frame in frames]


def test_walkers_go_where_they_say() -> None:
    for source in ("a", "b", "c"):
        assert centres("walk-right", source)[-1] - centres("walk-right", source)[0] > 5
        assert centres("walk-left", source)[0] - centres("walk-left", source)[-1] > 5


def test_the_middle_of_a_walk_does_not_tell_where_it_goes() -> None:
    """Frame numbers 7 and 8 lie as far before the middle as behind it."""
    for source in ("a", "b", "c", "d"):
        right, left = centres("walk-right", source), centres("walk-left", source)
        middle = (right[7] + right[8]) / 2, (left[7] + left[8]) / 2
        assert abs(middle[0] - middle[1]) < 3


def test_starts_are_drawn_evenly() -> None:
    starts = np.array([motion(f"s{i}").phase for i in range(400)])
    assert np.histogram(starts, 4, (0, 1))[0].min() > 70


def test_bodies_and_places_differ_and_fill_8_to_20_per_cent() -> None:
    shares = []
    for number in range(40):
        name = NAMES[number % 12]
        frames = list(render(Shown(f"clip{number}", name, "sky", "red"), 64, 2, 0))
        shares.append(np.mean([frame.person.mean() for frame in frames]))
    assert 0.08 <= np.percentile(shares, 5) and np.percentile(shares, 95) <= 0.20
    assert np.std(shares) > 0.015
    assert len({motion(f"s{i}").body for i in range(20)}) == 20


def test_half_of_the_clips_have_an_object() -> None:
    things = [motion(f"s{i}").object for i in range(600)]
    assert 0.44 < np.mean([thing is not None for thing in things]) < 0.56
    assert {thing for thing in things if thing} == {"ball", "box", "stick", "cup"}


def test_there_are_twelve_scenes_and_each_clip_has_its_own_texture() -> None:
    assert len(SCENES) == 12
    for name in SCENES:
        first, again, other = (
            texture(name, 64, 6, np.random.default_rng(seed)) for seed in (1, 1, 2)
        )
        assert first.shape == (76, 76, 3) and 0 <= first.min() and first.max() <= 255
        np.testing.assert_array_equal(first, again)
        assert np.abs(first - other).mean() > 2
        assert first.std() > 5
