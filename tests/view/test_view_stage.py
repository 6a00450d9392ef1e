"""The stage in this process, over stores whose masks and pixels are known."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sbtools.errors import UsageError
from sbtools.job import Job
from sbtools.store import StoreWriter
from sbtools.video import open_video
from sbtools.view import stage
from sbtools.view.draw import PERSON
from sbtools.view.sheet import Row
from sbtools.view.stage import view
from sbtools.view.task import Film, make
from tests.making import figure_frames, write_video

HEIGHT, WIDTH, COUNT = 72, 96, 24
MASKED = [3, 9, 15, 21]


def masks() -> np.ndarray:
    found = np.zeros((len(MASKED), HEIGHT, WIDTH), bool)
    for i in range(len(MASKED)):
        found[i, 20:60, 10 + 10 * i : 40 + 10 * i] = True
    return found


def store(folder: Path, kind: str, record: dict[str, Any], **arrays: Any) -> dict[str, Any]:
    attrs = {"height": HEIGHT, "width": WIDTH, "packets": COUNT, "digest": "1-2"}
    arrays = {"frame": MASKED, "time": [n / 25 for n in MASKED], **arrays}
    with StoreWriter(str(folder), kind, {}, {}, root=str(folder.parent)) as out:
        out.add(record, attrs, arrays, boxes=[] if kind == "masks" else None)
        out.close()
    return record


@pytest.fixture
def masked(tmp_path: Path) -> dict[str, Any]:
    write_video(tmp_path / "c.mp4", figure_frames(COUNT), options={"qp": "0"})
    record = {"id": "walk/c", "video": "c.mp4", "label": "walk", "frames": COUNT, "fps": 25.0}
    return store(tmp_path / "masks", "masks", record, person=masks())


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[Row]:
    """The rows that go to the sheet."""
    seen: list[Row] = []
    monkeypatch.setattr(stage.Sheet, "add", lambda self, row: seen.append(row))
    return seen


def look(root: Path, *records: dict[str, Any], **asked: Any) -> list[dict[str, Any]]:
    asked = {"sheet": str(root / "s.png"), **asked}
    return list(view(iter(records), Job(root=root), **asked))


def error_of(record: dict[str, Any]) -> tuple[str, str]:
    return record["error"]["stage"], record["error"]["kind"]


def test_masks_are_outlined_where_they_are(
    tmp_path: Path, masked: dict[str, Any], rows: list[Row]
) -> None:
    assert look(tmp_path, masked, cell=WIDTH) == [masked]
    (row,) = rows
    with open_video(tmp_path / "c.mp4") as video:
        frames = dict(video.read(MASKED))
    for cell, mask, number in zip(row.cells, masks(), MASKED, strict=True):
        left = int(np.argmax(mask.any(axis=0)))
        assert (cell[20, left : left + 30] == PERSON).all()
        assert (cell[20:60, left] == PERSON).all()
        beyond = ~mask
        beyond[50:, :30] = False  # the frame's number
        assert (cell[beyond] == frames[number][beyond]).all()
    assert row.told == ["4 of 24 frames with masks", "person 17 %", "96x72"]
    assert (row.id, row.label, row.error) == ("walk/c", "walk", None)


def test_no_more_frames_than_columns(
    tmp_path: Path, masked: dict[str, Any], rows: list[Row]
) -> None:
    look(tmp_path, masked, columns=2, cell=48)
    look(tmp_path, {"id": "plain", "video": "c.mp4"}, columns=5, cell=48)
    assert [len(row.cells) for row in rows] == [2, 5]
    assert {cell.shape for row in rows for cell in row.cells} == {(36, 48, 3)}


def test_pixels_are_shown_as_stored_without_any_video(tmp_path: Path, rows: list[Row]) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (4, HEIGHT, WIDTH, 3), np.uint8)
    record = store(tmp_path / "masked", "pixels", {"id": "p", "video": "gone.mp4"}, rgb=rgb)
    assert look(tmp_path, record, cell=WIDTH) == [record]
    for cell, stored in zip(rows[0].cells, rgb, strict=True):
        assert (cell[:50] == stored[:50]).all()


def test_boxes_are_shown_where_there_are_no_masks(
    tmp_path: Path, masked: dict[str, Any], rows: list[Row]
) -> None:
    box = {"frame": 8, "xyxy": [30, 20, 60, 50], "score": 0.7, "role": "person", "prompt": "person"}
    record = {"id": "b", "video": "c.mp4", "sampled": [2, 8], "boxes": [box]}
    look(tmp_path, record, cell=WIDTH)
    without, with_box = rows[0].cells
    assert (with_box[49, 30:60] == PERSON).all() and (with_box[36:50, 59] == PERSON).all()
    assert not (without == PERSON).all(axis=2).any()
    look(tmp_path, record, what="frames", cell=WIDTH)
    assert not any((cell == PERSON).all(axis=2).any() for cell in rows[1].cells)


@pytest.mark.parametrize(
    ("change", "asked", "kind"),
    [
        ({"video": "gone.mp4"}, {}, "missing"),
        ({"masks": "masks/none.h5::clips/x"}, {}, "missing"),
        ({"masks": "masks/000of001-00000.h5::clips/other"}, {}, "damaged"),
        ({}, {"what": "pixels"}, "missing"),
        ({"video": "small.mp4"}, {}, "mismatch"),
        ({"video": "short.mp4"}, {}, "mismatch"),
        ({"start": 50.0}, {}, "mismatch"),
    ],
)
def test_a_clip_that_cannot_be_drawn_says_why(
    tmp_path: Path,
    masked: dict[str, Any],
    rows: list[Row],
    change: dict[str, Any],
    asked: dict[str, Any],
    kind: str,
) -> None:
    write_video(tmp_path / "small.mp4", figure_frames(COUNT, 48, 64))
    write_video(tmp_path / "short.mp4", figure_frames(10))
    good = {**masked, "id": "good"}
    done, after = look(tmp_path, {**masked, **change}, good, **{"what": "auto", **asked})
    assert error_of(done) == ("view", kind)
    assert rows[0].error is not None and rows[0].error.startswith(f"view, {kind}: ")
    assert asked or after == good


def test_a_damaged_store_is_the_failure_of_its_clips(
    tmp_path: Path, masked: dict[str, Any], rows: list[Row]
) -> None:
    part = tmp_path / "masks" / "000of001-00000.h5"
    part.write_bytes(part.read_bytes()[:-500])
    (done,) = look(tmp_path, masked)
    assert error_of(done) == ("view", "damaged")


def test_a_failed_record_gets_a_row_and_stays_as_it_is(tmp_path: Path, rows: list[Row]) -> None:
    error = {"stage": "index", "kind": "unreadable", "message": "not a video"}
    record = {"id": "x", "error": error}
    assert look(tmp_path, record) == [record]
    assert rows[0].error == "index, unreadable: not a video"


def test_another_video_under_the_masks_is_a_warning(
    tmp_path: Path, masked: dict[str, Any], rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(stage.work, "warn", lambda record, warnings: told.extend(warnings))
    look(tmp_path, masked)
    assert told == ["the video has changed since its masks were made"]


def frames_of(path: Path) -> tuple[list[np.ndarray], float]:
    """By OpenCV's own decoder: RGB frames and the frame rate."""
    film = cv2.VideoCapture(str(path))
    frames: Iterator[Any] = iter(film.read, (False, None))
    return [cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) for _, frame in frames], film.get(5)


def test_a_video_shows_masked_frames_over_the_time_of_the_clip(
    tmp_path: Path, masked: dict[str, Any]
) -> None:
    look(tmp_path, masked, sheet=None, video=str(tmp_path / "films"))
    assert [p.relative_to(tmp_path) for p in (tmp_path / "films").rglob("*.*")] == [
        Path("films/walk/c.mp4")
    ]
    frames, fps = frames_of(tmp_path / "films/walk/c.mp4")
    assert len(frames) / fps == pytest.approx(COUNT / 25, rel=0.01)
    assert len(frames) == 8 and frames[0].shape == (HEIGHT, WIDTH, 3)  # 4.2 a second, each twice
    for frame, mask in zip(frames[::2], masks(), strict=True):
        left = int(np.argmax(mask.any(axis=0)))
        pink = frame[30:45, left : left + 2].reshape(-1, 3).mean(axis=0)
        assert np.abs(pink - PERSON).max() < 60


def test_a_whole_clip_plays_at_its_own_speed(tmp_path: Path, masked: dict[str, Any]) -> None:
    look(tmp_path, masked, what="frames", video=str(tmp_path / "films"))
    frames, fps = frames_of(tmp_path / "films/walk/c.mp4")
    assert (len(frames), fps) == (COUNT, pytest.approx(25, rel=1e-3))


def test_one_picture_of_an_endless_clip_is_not_repeated_for_ever(tmp_path: Path) -> None:
    with Film(str(tmp_path / "f.mp4"), 1, 1e12) as film:
        assert film._times == 50


def test_videos_are_not_written_among_those_looked_at(
    tmp_path: Path, masked: dict[str, Any]
) -> None:
    before = (tmp_path / "c.mp4").read_bytes()
    with pytest.raises(UsageError, match="give another folder"):
        look(tmp_path, {**masked, "id": "c"}, sheet=None, video=str(tmp_path))
    assert (tmp_path / "c.mp4").read_bytes() == before
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_a_film_that_fails_leaves_nothing(tmp_path: Path) -> None:
    write_video(tmp_path / "c.avi", figure_frames(COUNT), codec="mpeg4")
    task = make(str(tmp_path), "auto", 2, 48, str(tmp_path / "films"))
    chunks = task({"id": "c", "video": "c.avi"})
    next(chunks)
    next(chunks)
    chunks.close()
    assert not os.listdir(tmp_path / "films")
