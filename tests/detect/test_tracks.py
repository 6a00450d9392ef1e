from __future__ import annotations

from typing import Any

import pytest

from sbtools.detect.base import Box
from sbtools.detect.tracks import at, distance, interpolate, link, usual_step


def box(frame: int, x: float, y: float = 0.0, size: float = 10.0, **kind: Any) -> Box:
    return Box(frame, (x, y, x + size, y + 2 * size), 0.5, **kind)


def test_interpolated_sides_move_evenly() -> None:
    a = Box(10, (0.0, 0.0, 10.0, 20.0), 0.9)
    b = Box(20, (5.0, 2.0, 17.0, 24.0), 0.6)
    (middle,) = interpolate([a, b], [14])
    assert middle == Box(14, pytest.approx((2.0, 0.8, 12.8, 21.6)), 0.6)


def test_ends_are_held_for_half_a_usual_step() -> None:
    boxes = [box(10, 0), box(20, 1), box(30, 2)]
    made = interpolate(boxes, [4, 5, 35, 36])
    assert [(b.frame, b.xyxy[0]) for b in made] == [(5, 0), (35, 2)]


def test_frames_that_a_track_has_get_no_second_box() -> None:
    assert interpolate([box(0, 0), box(10, 0)], [0, 10]) == []
    made = interpolate([box(0, 0), box(10, 0), box(5, 80)], [5])
    assert [b.xyxy[0] for b in made] == [0]


def test_two_people_keep_their_own_tracks() -> None:
    boxes = [box(f, x) for f in (0, 10, 20) for x in (f * 0.3, 60 - f * 0.3)]
    tracks = link(boxes)
    assert sorted(len(track) for track in tracks) == [3, 3]
    made = interpolate(boxes, [15])
    assert sorted(round(b.xyxy[0], 3) for b in made) == [4.5, 55.5]


def test_roles_and_prompts_are_never_linked_to_each_other() -> None:
    rope = box(10, 0, role="object", prompt="rope")
    bat = box(20, 0, role="object", prompt="bat")
    assert len(link([box(0, 0), rope, bat])) == 3
    (made,) = interpolate([rope, box(30, 3, role="object", prompt="rope")], [20])
    assert (made.role, made.prompt, made.xyxy[0]) == ("object", "rope", 1.5)


def test_far_boxes_and_boxes_of_another_size_are_not_linked() -> None:
    assert len(link([box(0, 0), box(10, 100)])) == 2
    assert len(link([box(0, 0), box(10, 0, size=40)])) == 2
    assert distance((0, 0, 0, 0), (0, 0, 1, 1)) == float("inf")
    assert distance((0, 0, 4, 4), (0, 0, 4, 4)) == 0
    assert distance((0, 0, 4, 4), (4, 0, 8, 4)) == pytest.approx(1.5)


def test_a_track_waits_over_a_gap_but_not_for_ever() -> None:
    near = [box(f, 0) for f in (0, 10, 20, 50, 60)]
    assert len(link(near)) == 1
    far = [box(f, 0) for f in (0, 10, 20, 70, 80)]
    assert len(link(far)) == 2


def test_the_order_of_the_boxes_does_not_matter() -> None:
    boxes = [box(f, x) for f in (0, 10, 20) for x in (f * 0.3, 60 - f * 0.3)]
    assert interpolate(boxes, [5, 15]) == interpolate(boxes[::-1], [15, 5])


def test_nothing_gives_nothing() -> None:
    assert interpolate([], [1, 2]) == []
    assert link([]) == []
    assert usual_step([]) == 1


def test_at_gives_the_nearest_beyond_the_ends() -> None:
    track = [box(10, 0), box(20, 4)]
    assert [at(track, f).xyxy[0] for f in (0, 10, 15, 20, 99)] == [0, 0, 2, 4, 4]
    assert at(track, 99).frame == 99


def test_boxes_with_a_track_are_linked_by_it() -> None:
    """Two people change sides between two frames; nearest first, each would become the other."""
    swapped = [box(0, 0, track=1), box(0, 100, track=2), box(10, 100, track=1), box(10, 0, track=2)]
    made = interpolate(swapped, [4])
    assert sorted((b.track, b.xyxy[0]) for b in made) == [(1, 40), (2, 60)]
    nearest = interpolate([box(b.frame, b.xyxy[0]) for b in swapped], [4])
    assert sorted(b.xyxy[0] for b in nearest) == [0, 100]


def test_a_box_without_a_track_is_never_one_of_those_that_have_one() -> None:
    boxes = [box(0, 0, track=1), box(10, 0), box(20, 0, track=0)]
    assert len(link(boxes)) == 3 and len(link([box(b.frame, 0) for b in boxes])) == 1
