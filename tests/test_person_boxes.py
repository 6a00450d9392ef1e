"""Weight-free masks of real people, against boxes drawn by eye."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sbtools.clip import FrameBuffer
from sbtools.detect.classic import ClassicDetector
from sbtools.segment.base import FrameMasks
from sbtools.segment.grabcut import GrabCutSegmenter
from sbtools.video import FrameRule, open_video

Drawn = list[tuple[dict[str, Any], FrameMasks]]


def masks_of(path: Path) -> dict[int, FrameMasks]:
    """What a run with defaults finds in a video, by frame number."""
    detector, segmenter = ClassicDetector(), GrabCutSegmenter()
    with open_video(str(path)) as video:
        members = [n for n in video.numbers if n < video.count]
        wanted = FrameRule.parse("8").choose(members)
        asked = set(wanted)
        for part in (detector, segmenter):
            asked |= set(part.context(wanted, video.count, video.fps))
        with FrameBuffer(path.stem, video.height, video.width, video.fps, wanted) as clip:
            clip.fill(video.read(sorted(asked)))
            boxes = detector.detect(clip, [])
            return {entry.frame: entry for entry in segmenter.segment(clip, boxes)}


@pytest.fixture(scope="module")
def drawn(real_clips: Path) -> Drawn:
    listed = real_clips / "person_boxes.json"
    if not listed.is_file():
        pytest.skip(f"no boxes: {listed}")
    entries = json.loads(listed.read_text())
    found = {name: masks_of(real_clips / name) for name in {e["video"] for e in entries}}
    return [(entry, found[entry["video"]][entry["frame"]]) for entry in entries]


def box_mask(boxes: list[list[float]], height: int, width: int) -> np.ndarray:
    """The union of boxes given as shares of the sides: bool [H, W]."""
    y, x = (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width
    inside = np.zeros((height, width), bool)
    for x0, y0, x1, y1 in boxes:
        inside |= ((y >= y0) & (y < y1))[:, None] & ((x >= x0) & (x < x1))[None]
    return inside


def hull(mask: np.ndarray) -> np.ndarray:
    """The pixels of the smallest box around a mask."""
    rows, columns = mask.any(1), mask.any(0)
    between = [
        np.maximum.accumulate(v) & np.maximum.accumulate(v[::-1])[::-1] for v in (rows, columns)
    ]
    return between[0][:, None] & between[1][None]


def test_most_of_the_mask_lies_in_the_boxes(drawn: Drawn) -> None:
    inside, whole = [], []
    for entry, found in drawn:
        inside.append(int((found.person & box_mask(entry["boxes"], *found.person.shape)).sum()))
        whole.append(int(found.person.sum()))
    assert sum(inside) / sum(whole) >= 0.85
    assert np.mean([a / max(b, 1) for a, b in zip(inside, whole, strict=True)]) >= 0.85


def test_the_mask_is_as_large_as_the_person(drawn: Drawn) -> None:
    overlaps = []
    for entry, found in drawn:
        if len(entry["boxes"]) == 1:
            a, b = hull(found.person), box_mask(entry["boxes"], *found.person.shape)
            overlaps.append((a & b).sum() / (a | b).sum())
    assert np.mean(overlaps) >= 0.70


def test_no_frame_is_left_empty_or_masked_whole(drawn: Drawn) -> None:
    assert len(drawn) == 17
    assert all(0.02 <= found.person.mean() <= 0.8 for _, found in drawn)
    assert not any(found.object.any() for _, found in drawn)


def test_masks_are_shapes_and_not_boxes(drawn: Drawn) -> None:
    filled = [found.person.sum() / hull(found.person).sum() for _, found in drawn]
    assert np.mean(filled) < 0.75
