from __future__ import annotations

import numpy as np
import pytest

from sbtools.detect import flow
from sbtools.detect.motion import MotionDetector, regions
from sbtools.detect.view import View
from tests.detect.made import HEIGHT, WIDTH, MadeClip, bounds, iou, scene

MIDDLE = WIDTH / 2, HEIGHT / 2


def pan(i: int) -> tuple[float, float]:
    return 2.3 * i, -0.7 * i


def walk(i: int) -> tuple[float, float]:
    """Walks to the right, faster than the camera pans."""
    return 40 + 6.0 * i, 60 - 0.7 * i


def pauses(i: int) -> tuple[float, float]:
    """Walks, stands still for a second, walks on."""
    steps = min(i, 8) + max(0, i - 18)
    return 40 + 4.0 * steps, 60.0


def test_context_is_the_frames_a_gap_away() -> None:
    assert flow.steps(10) == [1, 4]
    assert flow.steps(25) == [1, 2, 10]
    assert flow.context([10], 100, 10) == [6, 9, 11, 14]
    assert flow.context([0], 3, 10) == [1]
    assert flow.context(range(20), 20, 10) == []


def test_pairs_are_one_before_and_one_after_for_each_gap() -> None:
    assert flow.pairs(10, range(20), 10) == [[9, 11], [6, 14]]
    assert flow.pairs(10, [6, 10, 11], 10) == [[11], [6]]
    assert flow.pairs(10, [10, 50], 10) == []


def test_context_frames_are_those_that_are_compared() -> None:
    wanted = [40, 120, 200]
    asked = flow.context(wanted, 240, 30)
    for number in wanted:
        for others in flow.pairs(number, sorted({*wanted, *asked}), 30):
            assert len(others) == 2


@pytest.mark.parametrize("camera", [pan, lambda i: (0.0, 0.0), lambda i: (0.0, 5.0 * np.sin(i))])
def test_camera_motion_alone_gives_no_boxes(camera) -> None:
    frames, _ = scene(12, camera=camera)
    assert MotionDetector().detect(MadeClip(frames)) == []


@pytest.mark.parametrize("camera", [pan, lambda i: (0.0, 0.0)])
def test_evidence_covers_the_figure_and_little_else(camera) -> None:
    frames, (masks,) = scene(12, [walk], camera)
    view = View(MadeClip(frames), area=HEIGHT * WIDTH)
    for number in (4, 6, 8):
        sure = flow.evidence(view, number)
        assert sure.shape == (HEIGHT, WIDTH) and sure.min() >= 0 and sure.max() <= 1
        assert sure[masks[number]].mean() > 0.5
        assert sure[~masks[number]].mean() < 0.15


@pytest.mark.parametrize("camera", [pan, lambda i: (0.0, 0.0)])
def test_who_walks_is_found_in_every_frame(camera) -> None:
    frames, (masks,) = scene(14, [walk], camera)
    boxes = MotionDetector().detect(MadeClip(frames, wanted=range(2, 12)))
    assert [box.frame for box in boxes] == list(range(2, 12))
    overlaps = [iou(box.xyxy, bounds(masks[box.frame])) for box in boxes]
    assert np.mean(overlaps) > 0.7 and min(overlaps) > 0.5


def test_who_pauses_is_still_found() -> None:
    frames, (masks,) = scene(27, [pauses])
    boxes = MotionDetector().detect(MadeClip(frames, wanted=range(2, 25)))
    assert {box.frame for box in boxes} == set(range(2, 25))
    standing = [box for box in boxes if 12 <= box.frame <= 16]
    assert min(iou(box.xyxy, bounds(masks[box.frame])) for box in standing) > 0.5


def test_black_bars_do_not_count_as_standing_still() -> None:
    frames, _ = scene(10, camera=lambda i: (3.0 * i, 0.0))
    for frame in frames:
        frame[:14] = frame[-14:] = 0
    assert MotionDetector().detect(MadeClip(frames)) == []


def test_clips_of_one_frame_and_of_tiny_frames_have_no_motion() -> None:
    frames, _ = scene(1, [walk])
    assert MotionDetector().detect(MadeClip(frames)) == []
    tiny = [np.full((3, 2, 3), i, np.uint8) for i in range(5)]
    assert MotionDetector().detect(MadeClip(tiny)) == []


def test_strips_that_no_person_fills_are_left_out() -> None:
    sure = np.zeros((120, 160), np.float32)
    sure[10:22, 10:150] = 1
    sure[60:110, 40:60] = 1
    ((box, mean),) = regions(sure, 0.5, 0.005)
    assert iou(box, (40, 60, 60, 110)) > 0.85 and mean > 0.9


def test_near_parts_are_one_body_and_far_ones_two() -> None:
    sure = np.zeros((120, 160), np.float32)
    sure[20:50, 40:60] = sure[54:90, 40:60] = 1
    assert len(regions(sure, 0.5, 0.005)) == 1
    sure[20:50, 110:130] = 1
    assert len(regions(sure, 0.5, 0.005)) == 2
