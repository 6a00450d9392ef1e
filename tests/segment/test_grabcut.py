from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from sbtools.detect.base import OBJECT, Box
from sbtools.detect.classic import ClassicDetector
from sbtools.segment.base import FrameMasks
from sbtools.segment.colour import BINS, LIMIT, ColourModel, codes
from sbtools.segment.grabcut import WINDOW, GrabCutSegmenter
from sbtools.segment.shape import enlarge, filled, refit, tidy
from tests.detect.made import HEIGHT, WIDTH, MadeClip, Masks, bounds, overlap, scene


def walk(i: int) -> tuple[float, float]:
    return 40 + 5.0 * i, 60.0


def stands(i: int) -> tuple[float, float]:
    return 125.0, 62.0


def boxes_of(masks: Masks, frames: list[int], role: str = "person") -> list[Box]:
    return [Box(f, bounds(masks[f]), 1.0, role, role) for f in frames]


def loose(box: Box, dx: float, dy: float) -> Box:
    """The box with its sides moved out by `dx` and `dy`."""
    x0, y0, x1, y1 = box.xyxy
    return Box(box.frame, (x0 - dx, y0 - dy, x1 + dx, y1 + dy), 1.0, box.role, box.prompt)


@pytest.mark.parametrize("camera", [lambda i: (0.0, 0.0), lambda i: (1.5 * i, -0.5 * i)])
def test_the_shape_is_found_in_loose_boxes(camera) -> None:
    frames, (masks,) = scene(12, [walk], camera)
    wanted = [2, 4, 6, 8]
    boxes = [loose(box, 8, 6) for box in boxes_of(masks, wanted)]
    found = list(GrabCutSegmenter().segment(MadeClip(frames, wanted), boxes))
    assert [f.frame for f in found] == wanted
    for entry in found:
        assert entry.person.shape == (HEIGHT, WIDTH) and entry.person.dtype == bool
        assert overlap(entry.person, masks[entry.frame]) > 0.85
        assert not entry.object.any()


def test_boxes_that_cut_the_figure_off_do_not_cut_the_mask_off() -> None:
    frames, (masks,) = scene(12, [walk])
    wanted = [2, 4, 6, 8]
    boxes = [loose(box, -3, -5) for box in boxes_of(masks, wanted)]
    for entry in GrabCutSegmenter().segment(MadeClip(frames, wanted), boxes):
        assert overlap(entry.person, masks[entry.frame]) > 0.85


def test_detected_boxes_give_the_shape() -> None:
    frames, (masks,) = scene(14, [walk], lambda i: (1.5 * i, -0.5 * i))
    clip = MadeClip(frames, range(2, 12))
    found = GrabCutSegmenter().segment(clip, ClassicDetector().detect(clip, []))
    assert np.mean([overlap(entry.person, masks[entry.frame]) for entry in found]) > 0.8


def test_two_people_have_one_mask_and_who_stands_still_is_in_it() -> None:
    frames, (first, second) = scene(10, [walk, stands], tall=60)
    wanted = [2, 4, 6]
    boxes = boxes_of(first, wanted) + boxes_of(second, wanted)
    for entry in GrabCutSegmenter().segment(MadeClip(frames, wanted), boxes):
        both = first[entry.frame] | second[entry.frame]
        assert overlap(entry.person, both) > 0.8
        for one in (first, second):
            assert (entry.person & one[entry.frame]).sum() > 0.75 * one[entry.frame].sum()


def test_objects_have_their_own_mask_and_people_win() -> None:
    frames, (first, second) = scene(10, [walk, stands], tall=60)
    wanted = [2, 4, 6]
    boxes = boxes_of(first, wanted) + boxes_of(second, wanted, OBJECT)
    for entry in GrabCutSegmenter().segment(MadeClip(frames, wanted), boxes):
        assert overlap(entry.person, first[entry.frame]) > 0.8
        assert overlap(entry.object, second[entry.frame]) > 0.7
        assert not (entry.person & entry.object).any()
    same = boxes_of(first, wanted) + boxes_of(first, wanted, OBJECT)
    for entry in GrabCutSegmenter().segment(MadeClip(frames, wanted), same):
        assert not (entry.person & entry.object).any()
        assert overlap(entry.person, first[entry.frame]) > 0.8


def test_frames_without_boxes_have_empty_masks() -> None:
    frames, (masks,) = scene(10, [walk])
    clip = MadeClip(frames, [2, 4, 6])
    found = list(GrabCutSegmenter().segment(clip, boxes_of(masks, [4])))
    assert [entry.person.any() for entry in found] == [False, True, False]
    assert not any(e.person.any() or e.object.any() for e in GrabCutSegmenter().segment(clip, []))


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (90, 300)])
def test_frames_and_boxes_of_any_size(size: tuple[int, int]) -> None:
    height, width = size
    frames = [np.full((height, width, 3), 40 + 9 * i, np.uint8) for i in range(4)]
    places = [(0.0, 0.0, float(width), float(height)), (-5.0, -5.0, 0.5, 0.5), (1.0, 1.0, 1.0, 1.0)]
    boxes = [Box(i, place, 1.0, role) for i in (0, 2) for place in places for role in ROLES]
    for entry in GrabCutSegmenter().segment(MadeClip(frames, [0, 1, 2]), boxes):
        assert entry.person.shape == entry.object.shape == size


ROLES = ("person", "object")


def test_masks_have_the_size_of_the_frame_where_it_is_worked_on_smaller() -> None:
    frames, (masks,) = scene(8, [walk])
    big = [cv2.resize(frame, (WIDTH * 4, HEIGHT * 4)) for frame in frames]
    boxes = [Box(f, tuple(4 * v for v in bounds(masks[f])), 1.0) for f in (2, 4)]
    for entry in GrabCutSegmenter(area=160 * 120).segment(MadeClip(big, [2, 4]), boxes):
        truth = masks[entry.frame].repeat(4, 0).repeat(4, 1)
        assert overlap(entry.person, truth) > 0.85
        corners = np.count_nonzero(np.diff(entry.person.astype(int), axis=1))
        assert corners < 2.5 * np.count_nonzero(np.diff(truth.astype(int), axis=1))


def packed(entries: Iterator[FrameMasks]) -> list[bytes]:
    return [np.packbits(entry.person).tobytes() for entry in entries]


def test_the_same_clip_gives_the_same_bytes_whatever_ran_before() -> None:
    made = [scene(8, [walk], seed=seed) for seed in range(3)]
    clips = [MadeClip(frames, [2, 4, 5]) for frames, _ in made]
    boxes = [boxes_of(masks, [2, 4, 5]) for _, (masks,) in made]
    segmenter = GrabCutSegmenter()
    once = [packed(segmenter.segment(c, b)) for c, b in zip(clips, boxes, strict=True)]
    threads = cv2.getNumThreads()
    try:
        for order, seed, count in (([2, 0, 1], 7, 1), ([1, 2, 0], 99, 4)):
            cv2.setRNGSeed(seed)
            cv2.setNumThreads(count)
            again = {i: packed(GrabCutSegmenter().segment(clips[i], boxes[i])) for i in order}
            assert [again[i] for i in range(3)] == once
    finally:
        cv2.setNumThreads(threads)


class Counting(MadeClip):
    """Counts the frames that are fetched."""

    fetched = 0

    def frame(self, number: int) -> np.ndarray:
        self.fetched += 1
        return super().frame(number)


def test_masks_come_while_later_frames_are_still_unread() -> None:
    count = 3 * WINDOW
    frames = scene(30, [walk])[0]
    clip = Counting([frames[i % 30] for i in range(count)])
    boxes = [Box(i, (20.0, 20.0, 60.0, 100.0), 1.0) for i in range(count)]
    segmenter = GrabCutSegmenter(rounds=1, area=80 * 60)
    first = next(iter(segmenter.segment(clip, boxes)))
    assert first.frame == 0
    assert clip.fetched < 2 * WINDOW


def test_settings_are_described() -> None:
    made = GrabCutSegmenter(smoothness=4.0).describe()
    assert made["smoothness"] == 4.0
    assert set(made) >= {"name", "motion", "colour", "rounds", "area"}


def test_colour_odds_follow_what_was_counted() -> None:
    lab = np.zeros((20, 40, 3), np.uint8)
    lab[:, :20], lab[:, 20:30], lab[:, 30:] = (200, 150, 120), (60, 128, 128), (120, 100, 160)
    shape = np.zeros((20, 40), np.float32)
    shape[:, :20] = 1
    back = np.zeros_like(shape)
    back[:, 20:30] = 1
    model = ColourModel()
    model.add(codes(lab), back, shape)
    odds = model.odds()
    assert odds.shape == (BINS**3,)
    seen = odds[codes(lab)].reshape(20, 40)
    assert (seen[:, :20] > 1).all() and (seen[:, 20:30] < -1).all()
    assert np.abs(seen[:, 30:]).max() < 0.1 and np.abs(odds).max() <= LIMIT


def test_colours_that_nobody_counted_say_nothing() -> None:
    assert np.abs(ColourModel().odds()).max() == 0


def test_tidy_keeps_what_lies_in_the_box() -> None:
    mask = np.zeros((60, 80), bool)
    mask[10:50, 20:40] = True
    mask[20:22, 25:27] = False
    mask[5:8, 70:73] = mask[55, 10] = True
    mask[30:33, 30:33] = True
    found = tidy(mask, [(18.0, 8.0, 42.0, 52.0)])
    truth = np.zeros_like(mask)
    truth[10:50, 20:40] = True
    assert (found == truth).all()


def test_large_holes_stay() -> None:
    ring = np.zeros((40, 40), bool)
    ring[5:35, 5:35] = True
    ring[12:28, 12:28] = False
    assert (filled(ring) == ring).all()
    assert not filled(np.zeros((5, 5), bool)).any()


def test_boxes_go_half_the_way_to_the_shape() -> None:
    mask = np.zeros((100, 100), bool)
    mask[20:60, 30:50] = True
    (box,) = refit([(30.0, 20.0, 60.0, 60.0)], mask)
    assert box == pytest.approx((30, 20, 55, 60), abs=1)
    assert refit([(80.0, 80.0, 95.0, 95.0)], mask) == [(80.0, 80.0, 95.0, 95.0)]


def test_enlarged_outlines_stay_in_place() -> None:
    mask = np.zeros((30, 40), bool)
    mask[10:20, 10:30] = True
    big = enlarge(mask, 120, 160)
    assert overlap(big, mask.repeat(4, 0).repeat(4, 1)) > 0.95
    assert enlarge(None, 3, 4).shape == (3, 4) and not enlarge(None, 3, 4).any()
