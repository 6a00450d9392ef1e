from __future__ import annotations

import random
from pathlib import Path

import cv2
import numpy as np
import pytest

from sbtools.detect.base import Box
from sbtools.detect.classic import ClassicDetector, agreed, people, searched, upheld
from sbtools.detect.haar import HaarDetector
from sbtools.detect.hog import HogDetector
from sbtools.detect.motion import MotionDetector
from sbtools.video import open_video
from tests.detect.made import MadeClip, bounds, iou, scene

ALL = [ClassicDetector, HogDetector, HaarDetector, MotionDetector]


def walk(i: int) -> tuple[float, float]:
    return 40 + 5.0 * i, 60.0


def pauses(i: int) -> tuple[float, float]:
    return 40 + 4.0 * (min(i, 8) + max(0, i - 18)), 60.0


def real(folder: Path, name: str, numbers: list[int]) -> MadeClip:
    """Frames of a real clip, its context among them."""
    path = folder / name
    if not path.is_file():
        pytest.skip(f"no real clip: {path}")
    with open_video(path) as video:
        asked = sorted({*numbers, *ClassicDetector().context(numbers, video.count, video.fps)})
        frames = dict(video.read(asked))
        blank = np.zeros_like(frames[asked[0]])
        held = [frames.get(n, blank) for n in range(asked[-1] + 1)]
        return MadeClip(held, numbers, asked, name, video.fps)


@pytest.mark.parametrize("kind", ALL)
def test_what_a_detector_is(kind) -> None:
    detector = kind()
    assert not detector.takes_prompts and detector.in_worker
    assert detector.describe()["name"] == detector.name
    frames, _ = scene(9, [walk])
    clip = MadeClip(frames, wanted=[3, 5])
    found = detector.detect(clip, [])
    assert [box.frame for box in found] == sorted(box.frame for box in found)
    for box in found:
        assert box.frame in clip.wanted and (box.role, box.prompt) == ("person", "person")
        x0, y0, x1, y1 = box.xyxy
        assert 0 <= x0 < x1 <= clip.width and 0 <= y0 < y1 <= clip.height
        assert all(type(v) is float for v in (*box.xyxy, box.score))


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("size", [(1, 1), (8, 200), (130, 40)])
def test_blank_frames_of_any_size_show_nobody(kind, size: tuple[int, int]) -> None:
    frames = [np.full((*size, 3), 77, np.uint8)] * 3
    assert kind().detect(MadeClip(frames), []) == []


def test_settings_are_described() -> None:
    made = ClassicDetector(least=2.0, hog={"threshold": 0.9}).describe()
    assert made["least"] == 2.0 and made["parts"][0]["threshold"] == 0.9


def test_searched_frames_are_a_fifth_of_a_second_apart() -> None:
    assert searched([0, 40, 80], 30) == [0, 40, 80]
    assert searched(range(20), 25) == [0, 5, 10, 15, 19]
    assert searched([], 25) == []


def test_a_moving_camera_alone_gives_nobody() -> None:
    frames, _ = scene(12, camera=lambda i: (2.0 * i, 0.5 * i))
    assert ClassicDetector().detect(MadeClip(frames), []) == []


@pytest.mark.parametrize("camera", [lambda i: (0.0, 0.0), lambda i: (1.5 * i, -0.5 * i)])
def test_who_walks_has_one_box_in_every_frame(camera) -> None:
    frames, (masks,) = scene(14, [walk], camera)
    boxes = ClassicDetector().detect(MadeClip(frames, wanted=range(1, 13)), [])
    assert [box.frame for box in boxes] == list(range(1, 13))
    overlaps = [iou(box.xyxy, bounds(masks[box.frame])) for box in boxes]
    assert np.mean(overlaps) > 0.65 and min(overlaps) > 0.45


def test_who_pauses_is_still_found() -> None:
    frames, (masks,) = scene(27, [pauses])
    boxes = ClassicDetector().detect(MadeClip(frames, wanted=range(2, 25)), [])
    for number in (13, 14, 15):
        assert max(iou(b.xyxy, bounds(masks[number])) for b in boxes if b.frame == number) > 0.5


def test_boxes_do_not_depend_on_what_ran_before() -> None:
    clips = [MadeClip(scene(9, [walk], seed=seed)[0], [2, 4, 6]) for seed in range(3)]
    detector = ClassicDetector()
    once = [detector.detect(clip, []) for clip in clips]
    cv2.setRNGSeed(12345)
    order = [2, 0, 1]
    random.Random(0).shuffle(order)
    again = {i: ClassicDetector().detect(clips[i], []) for i in order}
    assert all(once[i] == again[i] for i in order)


def test_a_weak_track_alone_is_dropped_and_a_lone_frame_too() -> None:
    def track(x: float, frames: list[int], score: float) -> list[Box]:
        return [Box(f, (x, 0.0, x + 10, 20.0), score) for f in frames]

    strong, lone, same = track(0, [0, 5, 10], 1.0), track(50, [5], 2.0), track(1, [5], 0.5)
    groups = people([lone, same, strong], 3)
    assert groups == [[strong, same]]
    assert people([lone], 1) == [[lone]]


def test_a_box_is_upheld_between_and_around_its_frames() -> None:
    track = [Box(10, (0.0, 0.0, 4.0, 8.0), 0.8), Box(20, (2.0, 0.0, 6.0, 8.0), 0.8)]
    made = upheld([track], [0, 10, 15, 20, 49, 51], 10.0, 4)
    assert [(b.frame, b.xyxy[0]) for b in made] == [(0, 0), (10, 0), (15, 1), (20, 2), (49, 2)]
    assert {round(b.score, 6) for b in made} == {0.4}


def test_agreed_box_by_hand() -> None:
    strong, taller, far = (2.0, 4.0, 6.0, 8.0), (2.0, 2.0, 6.0, 8.0), (0.0, 0.0, 9.0, 9.0)
    assert agreed([(strong, 4.0), (taller, 3.0)]) == taller
    assert agreed([(strong, 4.0), (taller, 2.0)]) == strong
    assert agreed([(strong, 4.0), (taller, 2.0), (far, 1.0)]) == taller


def test_hog_finds_who_stands(real_clips: Path) -> None:
    clip = real(real_clips, "actions/juggle/05_default_juggle.mp4", [77, 169])
    truth = {77: (0.5, 0.1, 0.69, 0.95), 169: (0.45, 0.06, 0.62, 0.95)}
    for number in clip.wanted:
        box = HogDetector().detect_frame(clip, number)[0]
        assert _share_iou(box, truth[number], clip) > 0.5


def test_haar_places_the_body_below_a_face(real_clips: Path) -> None:
    clip = real(real_clips, "asl/eat.mkv", [14, 32])
    for number in clip.wanted:
        box = HaarDetector().detect_frame(clip, number)[0]
        assert _share_iou(box, (0.28, 0.15, 0.67, 1.0), clip) > 0.6


def _share_iou(box: Box, truth: tuple[float, ...], clip: MadeClip) -> float:
    x0, y0, x1, y1 = box.xyxy
    w, h = clip.width / 160, clip.height / 120
    drawn = tuple(v * side for v, side in zip(truth, (160, 120, 160, 120), strict=True))
    return iou((x0 / w, y0 / h, x1 / w, y1 / h), drawn)
