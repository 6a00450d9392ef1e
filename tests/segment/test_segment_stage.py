"""segment as a library function, and back ends that work in the parent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sbtools import clip as clip_module
from sbtools.backends import BackendSpec, checked, parse_settings
from sbtools.clip import FrameBuffer
from sbtools.detect import DETECTORS
from sbtools.detect.motion import MotionDetector
from sbtools.errors import ClipError, UsageError
from sbtools.index import folder
from sbtools.job import Job
from sbtools.segment import SEGMENTERS
from sbtools.segment.base import FrameMasks
from sbtools.segment.grabcut import GrabCutSegmenter
from sbtools.segment.packing import packed
from sbtools.segment.stage import Segmentation, segment
from sbtools.store import Stores
from tests.making import make_clips


class FarMotion(MotionDetector):
    """The motion detector, made once, in the parent, as a detector on a GPU would be."""

    in_worker = False
    context = staticmethod(MotionDetector().context)  # type: ignore[assignment]


class FarGrabCut(GrabCutSegmenter):
    """GrabCut in the parent."""

    in_worker = False
    context = staticmethod(GrabCutSegmenter().context)  # type: ignore[assignment]


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DETECTORS, "far", f"{__name__}:FarMotion")
    monkeypatch.setitem(SEGMENTERS, "far", f"{__name__}:FarGrabCut")


def masks(tmp_path: Path, detector: str, segmenter: str, store: str, **more: Any) -> dict[str, Any]:
    found = folder.find([str(tmp_path / "clips")])
    incoming = folder.to_records(found, tmp_path, "folder")
    plan = Segmentation(
        BackendSpec("detector", detector), BackendSpec("segmenter", segmenter), **more
    )
    done = list(segment(incoming, Job(root=tmp_path), plan, str(tmp_path / store)))
    stores = Stores(str(tmp_path))
    out = {}
    for record in done:
        stored = stores.clip(record["masks"])
        shapes = [stored.mask("person", place) for place in range(len(stored.frames))]
        out[record["id"]] = (np.stack(shapes), stored.boxes)
    return out


@pytest.mark.parametrize(
    ("detector", "segmenter"), [("far", "far"), ("motion", "far"), ("far", "grabcut")]
)
def test_back_ends_in_the_parent_give_the_same_masks(
    far: None, detector: str, segmenter: str, tmp_path: Path
) -> None:
    make_clips(tmp_path / "clips", 2, frames=12)
    near = masks(tmp_path, "motion", "grabcut", "near")
    made = masks(tmp_path, detector, segmenter, "made")
    assert near.keys() == made.keys()
    assert any(shapes.any() for shapes, _ in near.values())
    for id, (shapes, boxes) in near.items():
        np.testing.assert_array_equal(made[id][0], shapes)
        assert made[id][1] == boxes


def test_boxes_are_interpolated_at_frames_between_those_looked_at(tmp_path: Path) -> None:
    make_clips(tmp_path / "clips", 1, frames=9)
    found = folder.find([str(tmp_path / "clips")])
    (record,) = folder.to_records(found, tmp_path, "folder")
    box = {"score": 0.5, "role": "person", "prompt": "person"}
    record["sampled"] = [0, 8]
    record["boxes"] = [
        {"frame": 0, "xyxy": [10, 20, 30, 60], **box},
        {"frame": 8, "xyxy": [18, 20, 38, 60], **box},
    ]
    plan = Segmentation(
        BackendSpec("detector", "motion"), BackendSpec("segmenter", "grabcut"), frames="all"
    )
    (done,) = segment([record], Job(root=tmp_path), plan, str(tmp_path / "m"))
    stored = Stores(str(tmp_path)).clip(done["masks"])
    assert {b["frame"]: b["xyxy"] for b in stored.boxes} == {
        n: [10 + n, 20, 30 + n, 60] for n in range(9)
    }
    assert "boxes" not in done and "sampled" not in done


def test_a_box_of_another_picture_fails_the_clip(tmp_path: Path) -> None:
    make_clips(tmp_path / "clips", 1, frames=9)
    (record,) = folder.to_records(folder.find([str(tmp_path / "clips")]), tmp_path, "folder")
    record["boxes"] = [{"frame": 0, "xyxy": [500, 5, 600, 9], "score": 1, "role": "person",
                        "prompt": "person"}]  # fmt: skip
    plan = Segmentation(BackendSpec("detector", "motion"), BackendSpec("segmenter", "grabcut"))
    (done,) = segment([record], Job(root=tmp_path), plan, str(tmp_path / "m"))
    assert done["error"]["kind"] == "mismatch" and "96x72" in done["error"]["message"]


def test_frames_beyond_memory_come_back_as_they_went(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    frames = {n: rng.integers(0, 256, (5, 7, 3), np.uint8) for n in (3, 1, 9, 4)}
    with FrameBuffer("a", 5, 7, 25.0, [1, 4], in_memory=2 * 105) as buffer:
        buffer.fill(frames.items())
        assert buffer.numbers == [1, 3, 4, 9] and buffer.wanted == [1, 4]
        for number, frame in frames.items():
            np.testing.assert_array_equal(buffer.frame(number), frame)
        with pytest.raises(ClipError, match=r"frame 5 is 7x6, not 7x5"):
            buffer.put(5, np.zeros((6, 7, 3), np.uint8))


def test_no_room_for_decoded_frames_fails_the_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(clip_module.os, "pwrite", full)
    with (
        FrameBuffer("a", 5, 7, 25.0, [1], in_memory=0) as buffer,
        pytest.raises(ClipError, match="set TMPDIR"),
    ):
        buffer.put(1, np.zeros((5, 7, 3), np.uint8))


def test_settings_are_checked_against_the_signature() -> None:
    assert checked(MotionDetector, {"threshold": "0.5", "most": "2"}, "motion") == {
        "threshold": 0.5, "most": 2,
    }  # fmt: skip
    with pytest.raises(UsageError, match="no setting 'treshold'"):
        checked(MotionDetector, {"treshold": "0.5"}, "motion")
    with pytest.raises(UsageError, match=r"is a whole number, not '2\.5'"):
        checked(MotionDetector, {"most": "2.5"}, "motion")
    with pytest.raises(UsageError, match="needs the setting folder"):
        BackendSpec("segmenter", "png").make()
    assert parse_settings(["a=1", "b=x=y"]) == {"a": "1", "b": "x=y"}
    for wrong in (["a"], ["=1"], ["a=1", "a=2"]):
        with pytest.raises(UsageError):
            parse_settings(wrong)


def test_the_person_wins_where_an_object_overlaps() -> None:
    person = np.array([[True, True, False, False]])
    thing = np.array([[False, True, True, False]])
    (chunk,) = packed([FrameMasks(3, person, thing)])
    assert np.unpackbits(chunk["person"], axis=-1, count=4).tolist() == [[[1, 1, 0, 0]]]
    assert np.unpackbits(chunk["object"], axis=-1, count=4).tolist() == [[[0, 0, 1, 0]]]
