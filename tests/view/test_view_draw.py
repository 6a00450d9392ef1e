"""Drawing, against pixels worked out by hand and slow loops."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from sbtools.view.draw import (
    OBJECT,
    PERSON,
    corners,
    edge,
    fitted,
    outline,
    overlay,
    rim,
    scaled_mask,
    tint,
)
from sbtools.view.source import evenly
from sbtools.view.text import label, lines_of, plain, shorten, width_of


def near_background(mask: np.ndarray, steps: int) -> np.ndarray:
    """Slowly: pixels of the mask from which `steps` steps up, down, left, right can leave it."""
    reached = ~mask
    for _ in range(steps):
        before = reached.copy()
        for y, x in np.argwhere(before):
            for i, j in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= i < mask.shape[0] and 0 <= j < mask.shape[1]:
                    reached[i, j] = True
    return mask & reached


def picture(text: str) -> np.ndarray:
    return np.array([[c == "#" for c in line] for line in text.split()])


def test_the_edge_is_where_the_mask_meets_the_background_and_not_the_rim() -> None:
    mask = picture("###...  ###...  ###...  ......")
    assert (edge(mask) == picture("..#...  ..#...  ###...  ......")).all()


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_edge_is_as_thick_as_asked(steps: int) -> None:
    rng = np.random.default_rng(steps)
    for _ in range(20):
        mask = rng.random((12, 17)) < 0.8
        assert (edge(mask, steps) == near_background(mask, steps)).all()


def test_a_full_and_an_empty_mask_have_no_edge() -> None:
    assert not edge(np.ones((4, 5), bool)).any() and not edge(np.zeros((4, 5), bool)).any()


def test_a_tint_is_a_quarter_of_the_colour_and_touches_the_mask_alone() -> None:
    image = np.full((2, 2, 3), 100, np.uint8)
    tint(image, picture("#.  .."), (255, 40, 170))
    assert image[0, 0].tolist() == [139, 85, 118]  # (3 * 100 + colour + 2) // 4
    assert (image.reshape(4, 3)[1:] == 100).all()


def test_an_outline_changes_nothing_beyond_the_mask() -> None:
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (20, 30, 3), np.uint8)
    mask = np.zeros((20, 30), bool)
    mask[5:15, 8:20] = True
    image = frame.copy()
    outline(image, mask, PERSON, 2)
    assert (image[~mask] == frame[~mask]).all()
    assert (image[5:7, 8:20] == PERSON).all() and (image[5:15, 18:20] == PERSON).all()
    assert image[10, 14].tolist() == [
        (3 * int(v) + c + 2) // 4 for v, c in zip(frame[10, 14], PERSON, strict=True)
    ]


def test_the_corners_of_a_box_are_rounded_and_its_end_is_exclusive() -> None:
    assert corners((10.2, 21.8, 31.4, 39.0), (1, 1), 100, 100) == (10, 22, 30, 38)
    assert corners((10.2, 21.8, 31.4, 39.0), (0.5, 2), 100, 100) == (5, 44, 15, 77)
    assert corners((5, 5, 5, 5), (1, 1), 100, 100) == (5, 5, 5, 5)


def test_a_box_far_outside_has_no_edge_within() -> None:
    place = corners((-1e15, 2, 1e15, 4), (1, 1), 8, 8)
    drawn = rim(place, 8, 8, 1)
    assert drawn[2].all() and drawn[3].all() and drawn.sum() == 16


@pytest.mark.parametrize("line", [1, 2])
def test_the_rim_of_a_box(line: int) -> None:
    one = "......... .#######. .#.....#. .#.....#. .#.....#. .#.....#. .#######. ........."
    two = "......... .#######. .#######. .##...##. .##...##. .#######. .#######. ........."
    assert (rim((1, 1, 7, 6), 8, 9, line) == picture((one, two)[line - 1])).all()


def test_dashes_leave_gaps_of_their_own_length() -> None:
    drawn = rim((0, 0, 11, 11), 12, 12, 1, dash=3)
    assert drawn[0].tolist() == [True] * 3 + [False] * 3 + [True] * 3 + [False] * 3


def test_an_overlay_of_nothing_is_the_frame_and_the_frame_stays() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (12, 16, 3), np.uint8)
    kept = frame.copy()
    image = overlay(frame, {}, [], (12, 16))
    assert (image == frame).all() and image is not frame
    box = {"frame": 0, "xyxy": [1, 1, 9, 9], "score": 0.5, "role": "object", "prompt": "rope"}
    overlay(frame, {"person": np.ones((12, 16), bool)}, [box], (12, 16), ["7"])
    assert (frame == kept).all()


def test_masks_and_boxes_are_drawn_after_scaling() -> None:
    frame = np.zeros((60, 80, 3), np.uint8)
    mask = np.zeros((60, 80), bool)
    mask[20:40, 10:30] = True
    box = {"frame": 0, "xyxy": [40, 36, 70, 50], "score": 1, "role": "object", "prompt": "object"}
    image = overlay(frame, {"person": mask}, [], (120, 160))
    assert (image[40, 20:60] == PERSON).all() and (image[39, :] == 0).all()
    assert (image[60, 58:60] == PERSON).all() and (image[60, 60:] == 0).all()
    image = overlay(frame, {}, [box], (120, 160))
    assert (image[99, 80:140] == OBJECT).all() and (image[100] == 0).all()
    assert (image[90:99, 139] == OBJECT).all() and (image[90:, 140:] == 0).all()


def test_a_scaled_mask_covers_what_it_covers_by_half_and_never_vanishes() -> None:
    mask = picture("##.. #... ...# ....")
    assert (scaled_mask(mask, 2, 2) == picture("#. ..")).all()
    dot = np.zeros((100, 100), bool)
    dot[51, 74] = True
    small = scaled_mask(dot, 10, 10)
    assert np.argwhere(small).tolist() == [[5, 7]]
    assert not scaled_mask(np.zeros((100, 100), bool), 10, 10).any()


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(240, 320, (180, 240)), (568, 320, (426, 240)), (1000, 10, (480, 5)), (1, 5000, (1, 240))],
)
def test_a_frame_fits_its_cell(height: int, width: int, size: tuple[int, int]) -> None:
    assert fitted(height, width, 240) == size


def test_frames_are_chosen_evenly() -> None:
    for total in range(1, 60):
        for count in range(1, 12):
            rule = [math.floor(Fraction((2 * i + 1) * total, 2 * count)) for i in range(count)]
            wanted = list(range(total)) if total <= count else rule
            assert evenly(range(total), count) == wanted
    assert evenly([4, 9, 11, 30], 2) == [9, 30]


def test_text_is_plain_ascii() -> None:
    assert plain("né_\n\u65e5\udc80\U0001f600~") == r"n\xe9_\n\u65e5\udc80\U0001f600~"


@pytest.mark.parametrize("room", [30, 60, 150, 400])
def test_a_long_name_is_cut_in_the_middle(room: int) -> None:
    name = "juggle/a_very_long_name_of_a_clip_c0123456789"
    shown = shorten(name, room, 0.5)
    assert width_of(shown, 0.5) <= room
    if shown != name:
        head, tail = shown.split("...")
        assert name.startswith(head) and name.endswith(tail) and len(head) - len(tail) in (0, 1)
    assert shorten(name, 4000, 0.5) == name


def test_long_messages_wrap_and_end_in_dots() -> None:
    lines = lines_of("word " * 200, 300, 0.5, most=3)
    assert len(lines) == 3 and lines[-1].endswith("...")
    assert all(width_of(line, 0.5) <= 330 for line in lines)
    assert lines_of("", 300, 0.5) == []


def test_a_label_stays_within_the_image_and_darkens_its_ground_alone() -> None:
    image = np.full((40, 60, 3), 200, np.uint8)
    label(image, "7", (1000, -50), 0.4, (255, 255, 255))
    changed = np.argwhere((image != 200).any(axis=2))
    assert changed[:, 0].min() == 0 and changed[:, 1].max() == 59
    assert changed[:, 0].max() < 20 and changed[:, 1].min() > 40
    assert (image[0, 59] == 50).all()
