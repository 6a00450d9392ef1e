"""Masks are what the figure's geometry says, worked out again point by point."""

from __future__ import annotations

from math import cos, hypot, radians, sin

import numpy as np
import pytest

from sbtools.demo.actions import ACTIONS, Phase
from sbtools.demo.figure import FINE, Body, Capsule, Part, Polygon, cells, paint, stand
from sbtools.demo.looks import OBJECTS, thing
from sbtools.demo.motion import draw, figures
from sbtools.demo.render import Frame, Shown, _composed, render

SIZE = 40


def in_capsule(shape: Capsule, x: float, y: float) -> bool:
    """By the three cases of a segment: beyond one end, beyond the other, beside it."""
    (ax, ay), (bx, by) = shape.start, shape.end
    length = hypot(bx - ax, by - ay)
    if length == 0:
        return hypot(x - ax, y - ay) <= shape.radius
    ux, uy = (bx - ax) / length, (by - ay) / length
    along = (x - ax) * ux + (y - ay) * uy
    if along < 0:
        return hypot(x - ax, y - ay) <= shape.radius
    if along > length:
        return hypot(x - bx, y - by) <= shape.radius
    return abs((x - ax) * uy - (y - ay) * ux) <= shape.radius


def in_polygon(shape: Polygon, x: float, y: float) -> bool:
    """By the number of edges that a ray to the right crosses."""
    crossed = False
    corners = shape.corners
    for (ax, ay), (bx, by) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if (ay > y) != (by > y) and x < ax + (bx - ax) * (y - ay) / (by - ay):
            crossed = not crossed
    return crossed


def holds(parts: list[Part], x: float, y: float) -> bool:
    return any(
        in_capsule(p.shape, x, y) if isinstance(p.shape, Capsule) else in_polygon(p.shape, x, y)
        for p in parts
    )


def slow_masks(parts: list[Part], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Person and object, from every one of the 16 sample points of each pixel.

    A pixel is somebody's where 8 or more of its points are: the person's, unless more are the
    object's.
    """
    body = [part for part in parts if part.stuff not in OBJECTS]
    things = [part for part in parts if part.stuff in OBJECTS]
    person, other = np.zeros((2, size, size), int)
    for row in range(size * 4):
        for column in range(size * 4):
            x, y = (column + 0.5) / 4, (row + 0.5) / 4
            if holds(body, x, y):
                person[row // 4, column // 4] += 1
            elif holds(things, x, y):
                other[row // 4, column // 4] += 1
    owned = person + other >= 8
    return owned & (person >= other), owned & (person < other)


@pytest.mark.parametrize(
    ("action", "object"), [("lunge", "stick"), ("arms-up", "cup"), ("walk-left", "box")]
)
def test_masks_equal_those_of_a_slow_way(action: str, object: str) -> None:
    shown = Shown(f"here/{action}", action, "sea", "red", object)
    frame = list(render(shown, SIZE, 3, seed=5))[2]
    behind, figure = list(figures(draw(5, shown.source, SIZE, object), ACTIONS[action], 3))[2]
    assert behind is not None
    person, other = slow_masks([behind, *figure.parts], SIZE)
    assert person.any() and other.any()
    np.testing.assert_array_equal(frame.person, person)
    np.testing.assert_array_equal(frame.object, other)


def test_every_action_s_masks_are_apart_and_agree_with_the_picture() -> None:
    """Where nothing of the figure is, the frame is the plate, whatever was rendered before it."""
    for action in ACTIONS:
        source = f"pair/{action}"
        plates = list(render(Shown(source, None, "tiles", "red"), 64, 2, 0))
        for frame, plate in zip(render(Shown(source, action, "tiles", "red"), 64, 2, 0), plates,
                                strict=True):  # fmt: skip
            assert not (frame.person & frame.object).any()
            assert not plate.person.any() and not plate.object.any()
            changed = (frame.rgb != plate.rgb).any(axis=2)
            inside = frame.person | frame.object
            assert changed[inside].mean() > 0.98
            assert not changed[~inside].any()


def half(stuff: str) -> Part:
    """The left or the right half of a pixel and a little more of those above and below."""
    left = 0.0 if stuff == "skin" else 0.5
    corners = ((left, -1.0), (left + 0.5, -1.0), (left + 0.5, 3.0), (left, 3.0))
    return Part(Polygon(corners), stuff)


def test_a_pixel_that_person_and_object_share_is_the_person_s_and_of_one_colour() -> None:
    """Neither has more than half of it: it is not left to the background, nor mixed."""
    parts = [half("ball"), half("skin")]
    colours = np.array([[0, 0, 0], [10, 20, 30], [200, 100, 50]], np.float32)
    frame = _composed(np.full((2, 2, 3), 7.0, np.float32), parts, colours)
    assert frame.person.tolist() == [[True, False]] * 2 and not frame.object.any()
    assert frame.rgb.tolist() == [[[200, 100, 50], [7, 7, 7]]] * 2


def test_a_pixel_has_the_mean_colour_of_its_owner_s_points_alone() -> None:
    """Skin above, shirt below, a ball in the rightmost quarter: 6 and 6 points of 16, and 4."""
    boxes = [(0.75, 0, 1, 1, "ball"), (0, 0, 0.75, 0.5, "skin"), (0, 0.5, 0.75, 1, "shirt")]
    parts = [Part(Polygon(((a, b), (c, b), (c, d), (a, d))), stuff) for a, b, c, d, stuff in boxes]
    colours = np.array([[0, 0, 0], [9, 9, 9], [200, 100, 50], [100, 0, 20]], np.float32)
    frame = _composed(np.full((1, 1, 3), 7.0, np.float32), parts, colours)
    assert frame.person.all() and frame.rgb[0, 0].tolist() == [150, 50, 35]


def test_cells_are_the_sample_points_of_a_pixel() -> None:
    points = np.zeros((2 * FINE, 3 * FINE), np.uint8)
    points[0, 0], points[3, 3], points[4, 11] = 1, 2, 3
    found = cells(points)
    assert found.shape == (2, 3, FINE * FINE)
    assert found[0, 0, 0] == 1 and found[0, 0, -1] == 2 and found[1, 2, 3] == 3
    assert found.sum() == 6


def test_the_foremost_part_is_painted_and_parts_may_leave_the_picture() -> None:
    inside = Part(Capsule((4, 4), (4, 4), 2), "skin")
    outside = Part(Capsule((-9, 4), (-9, 4), 3), "skin")
    partly = Part(Capsule((-1, 4), (4, 4), 1), "shirt")
    drawn = paint([inside, outside, partly], 8, 8)
    assert drawn[16, 16] == 3 and drawn[16, 0] == 3
    assert drawn[10, 16] == 1 and drawn[0, 0] == 0


def test_a_disc_has_the_area_of_a_disc() -> None:
    drawn = paint([Part(Capsule((20.3, 19.6), (20.3, 19.6), 12), "skin")], 40, 40)
    assert (drawn > 0).sum() / FINE**2 == pytest.approx(np.pi * 144, rel=0.005)


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_turn_about_their_place_and_keep_their_area(name: str) -> None:
    def area(angle: float) -> float:
        part = thing(name, (20, 20), 5, angle)
        x0, y0, x1, y1 = part.shape.bounds()
        assert x0 < 20 < x1 and y0 < 20 < y1
        return (paint([part], 40, 40) > 0).sum() / FINE**2

    assert area(0.0) > 8
    assert area(2.2) == pytest.approx(area(0.0), rel=0.03)


def body() -> Body:
    return Body(scale=100, torso=30, arm=40, leg=44, head=9, limb=5, shoulder=11, hips=6)


STILL = Phase(beat=0, cycle=0.0, sway=(0.0, 0.0, 0.0))


def hands(action: str, phase: Phase = STILL) -> dict[str, tuple[float, float]]:
    figure = stand(body(), ACTIONS[action].pose(phase), 0.0, 0.0)
    return dict(figure.hands)


def neck() -> float:
    """How high the shoulders of somebody who stands are; feet are 9 and 7 degrees apart."""
    return -5 - 22 * (cos(radians(9)) + cos(radians(7))) - 30


def test_poses_by_hand() -> None:
    up, out = hands("arms-up"), hands("arms-out")
    assert up["left"][1] == pytest.approx(neck() - 40 * cos(radians(22)))
    assert up["right"][0] == pytest.approx(11 + 40 * sin(radians(22)))
    assert out["left"] == pytest.approx((-51, neck()))
    assert out["right"] == pytest.approx((51, neck()))
    one = hands("one-arm-up")
    assert one["right"][1] < neck() - 35 and one["left"][1] > neck() + 35
    level = hands("wave-low", Phase(1, 0.0, STILL.sway))["right"]
    assert level == pytest.approx((51, neck()))
    feet = stand(body(), ACTIONS["lunge"].pose(STILL), 0.0, 0.0)
    assert max(part.shape.bounds()[3] for part in feet.parts) == pytest.approx(0.5, abs=0.51)


def test_a_mirrored_pose_is_the_mirror_image() -> None:
    phase = Phase(1, 0.3, (2.0, -1.0, 3.0))
    for action in ACTIONS.values():
        pose = action.pose(phase)
        here, there = stand(body(), pose, 0, 0), stand(body(), pose.mirrored(), 0, 0)
        x, y = here.hands["left"]
        assert there.hands["right"] == pytest.approx((-x, y))


def test_frames_are_what_they_say() -> None:
    frames = list(render(Shown("a", "raise", "sand", "cyan"), 64, 5, 1))
    assert len(frames) == 5 and isinstance(frames[0], Frame)
    assert frames[0].rgb.shape == (64, 64, 3) and frames[0].rgb.dtype == np.uint8
    assert frames[0].person.shape == (64, 64) and frames[0].person.dtype == bool
