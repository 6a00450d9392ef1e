"""detect --tracks: boxes that are linked over time have a number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sbtools.backends import DETECTORS, BackendSpec
from sbtools.detect.base import Box, Clip
from sbtools.detect.stage import detect
from sbtools.detect.tracks import numbered
from sbtools.job import Job
from tests.making import make_clips


class Two:
    """One at the left, one at the right, told in turn from frame to frame."""

    name, takes_prompts, in_worker = "two", False, True

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}

    @staticmethod
    def context(wanted: Sequence[int], count: int, fps: float) -> Sequence[int]:
        return []

    def detect(self, clip: Clip, objects: Sequence[str] = ()) -> list[Box]:
        boxes = []
        for number in clip.wanted:
            pair = [Box(number, (x, 5.0, x + 20, 60.0), 0.5) for x in (1.0, 70.0)]
            boxes += pair[:: -1 if number % 2 else 1]
        return boxes


class FarTwo(Two):
    in_worker = False


@pytest.mark.parametrize("made", [Two, FarTwo])
def test_boxes_are_numbered_where_it_is_asked_for(
    made: type[Two], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And only there: records are else as they were."""
    monkeypatch.setitem(DETECTORS, "two", f"{__name__}:{made.__name__}")
    make_clips(tmp_path / "clips", 1, frames=4)
    video = next((tmp_path / "clips").rglob("*.mp4"))
    record = {"id": "a", "video": str(video)}
    choice, job = BackendSpec("detector", "two"), Job(root=tmp_path)
    (plain,) = detect([record], job, choice, frames="all")
    (found,) = detect([record], job, choice, frames="all", tracks=True)
    sides = [(box["track"], box["xyxy"][0]) for box in found["boxes"]]
    assert sides == [(0, 1), (1, 70), (1, 70), (0, 1)] * 2
    assert "tracks=linked" in found["made"]["detect"]
    without = [{k: v for k, v in box.items() if k != "track"} for box in found["boxes"]]
    assert plain["boxes"] == without and "tracks" not in plain["made"]["detect"]


def test_tracks_that_are_given_stay() -> None:
    """Others get numbers above them, in the order of their first boxes."""
    places = [(3, 0.0, None), (0, 90.0, None), (0, 45.0, 4), (3, 90.0, None), (0, 0.0, None)]
    boxes = [Box(frame, (x, 0.0, x + 10, 20.0), 1.0, track=track) for frame, x, track in places]
    assert [box.track for box in numbered(boxes)] == [5, 6, 4, 6, 5]
    assert [(box.frame, box.xyxy) for box in numbered(boxes)] == [(b.frame, b.xyxy) for b in boxes]
