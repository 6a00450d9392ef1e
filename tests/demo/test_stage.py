"""What is made is the same whoever makes it, and whatever came in between."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from sbtools.demo.dataset import Demo, shown_in
from sbtools.demo.render import render
from sbtools.demo.stage import make, planned
from sbtools.errors import UsageError
from sbtools.job import Job
from sbtools.records import Record, dump
from sbtools.store import Stores, digest

SMALL: dict[str, Any] = {
    "clips": 0.01, "frames": 6, "splits": ["train", "do-scene", "plates"], "cells": [(0.9, 0.0)],
}  # fmt: skip


def run(root: Path, workers: int = 0, shard: tuple[int, int] = (0, 1), **more: Any) -> list[Record]:
    settings = {**SMALL, **{k: more.pop(k) for k in list(more) if k in ("seed", "splits", "size")}}
    job = Job(root=root, workers=workers, shard=shard)
    return list(make(Demo(**settings), str(root / "demo"), job, **more))


def files(root: Path) -> dict[str, str]:
    """SHA-256 of every clip, and of the records as they are listed."""
    found = sorted([*(root / "demo").rglob("*.mp4"), *(root / "demo").glob("*.jsonl")])
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    assert len(run(root)) == 36
    return root


def test_the_same_bytes_with_workers(made: Path, tmp_path: Path) -> None:
    run(tmp_path, workers=2)
    assert files(tmp_path) == files(made) and len(files(made)) == 39
    assert digest(str(tmp_path / "demo" / "masks")) == digest(str(made / "demo" / "masks"))


def test_the_same_clips_in_another_order_and_in_shards(made: Path, tmp_path: Path) -> None:
    for index in (1, 0):
        run(tmp_path, shard=(index, 2), splits=["plates", "train", "do-scene"])
    for name, content in files(made).items():
        if name.endswith(".mp4"):
            assert files(tmp_path)[name] == content
    assert digest(str(tmp_path / "demo" / "masks")) == digest(str(made / "demo" / "masks"))
    shards = (tmp_path / "demo").glob("s90c00-train-00?of002.jsonl")
    lines = [line for path in shards for line in path.read_bytes().splitlines()]
    assert len(lines) == 12


def test_another_seed_gives_other_clips(made: Path, tmp_path: Path) -> None:
    run(tmp_path, seed=1, splits=["plates"])
    ours, theirs = files(tmp_path), files(made)
    clips = [name for name in ours if name.endswith(".mp4")]
    assert len(clips) == 12 and all(ours[name] != theirs[name] for name in clips)


def decoded(path: Path) -> Iterator[np.ndarray]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def test_clips_decode_to_what_was_rendered(made: Path) -> None:
    record = next(iter(planned(Demo(**SMALL), str(made / "demo"), Job(root=made))))
    with av.open(str(made / record["video"])) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264" and float(stream.average_rate) == record["fps"]
    frames = list(decoded(made / record["video"]))
    rendered = list(render(shown_in(record), 64, 6, 0))
    assert len(frames) == record["frames"] == 6
    for one, other in zip(frames, rendered, strict=True):
        assert one.shape == (record["height"], record["width"], 3)
        assert np.abs(one.astype(int) - other.rgb).mean() < 6
        luma = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(int) for image in (one, other.rgb)]
        assert np.abs(luma[0] - luma[1]).mean() < 2.5


def test_the_store_holds_the_masks_of_all_frames(made: Path) -> None:
    stores = Stores(str(made))
    for record in run(made)[:14]:
        clip = stores.clip(record["masks"])
        assert clip.frames.tolist() == list(range(6)) and clip.size == (64, 64)
        np.testing.assert_allclose(clip.time, np.arange(6) / 12)
        frames = list(render(shown_in(record), 64, 6, 0))
        for place, frame in enumerate(frames):
            np.testing.assert_array_equal(clip.mask("person", place), frame.person)
            np.testing.assert_array_equal(clip.mask("object", place), frame.object)
        assert sorted(map(tuple, boxes_by_hand(record))) == sorted(
            (box["frame"], box["role"], *box["xyxy"]) for box in clip.boxes
        )


def boxes_by_hand(record: Record) -> list[tuple[int, str, int, int, int, int]]:
    """OpenCV's bounding rectangles of what the figure and its object cover."""
    found = []
    for number, frame in enumerate(render(shown_in(record), 64, 6, 0)):
        for role in ("person", "object"):
            x, y, width, height = cv2.boundingRect(getattr(frame, role).astype(np.uint8))
            if width:
                found.append((number, role, x, y, x + width, y + height))
    return found


def test_again_makes_nothing_and_prints_all(made: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = {path: path.stat().st_mtime_ns for path in (made / "demo").rglob("*.mp4")}
    with caplog.at_level("INFO", "sbtools"):
        records = run(made)
    assert "36 clips were done already" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in before} == before
    lines = b"".join(map(dump, records[:12]))
    assert (made / "demo" / "s90c00-train.jsonl").read_bytes() == lines


def test_a_clip_that_is_gone_is_made_again(tmp_path: Path) -> None:
    records = run(tmp_path, splits=["train"])
    path = tmp_path / records[3]["video"]
    before = path.read_bytes()
    path.unlink()
    again = run(tmp_path, splits=["train"])
    assert path.read_bytes() == before
    assert [r["id"] for r in again] == [r["id"] for r in records]


def test_another_size_is_refused_in_the_same_folder(made: Path) -> None:
    with pytest.raises(UsageError, match="size"):
        run(made, size=96)


def test_stopping_commits_what_is_made_and_lists_nothing(tmp_path: Path) -> None:
    asked = iter(range(1000))
    job = Job(root=tmp_path, stop=lambda: next(asked) > 4)
    records = list(make(Demo(**SMALL), str(tmp_path / "demo"), job))
    assert 0 < len(records) < 36
    left = [path.name for path in (tmp_path / "demo").iterdir()]
    assert sorted(left) == ["clips", "masks"]
    assert len(run(tmp_path)) == 36


def test_limit_takes_the_first(tmp_path: Path) -> None:
    assert [r["label"] for r in run(tmp_path, limit=3)] == ["arms-up", "arms-out", "one-arm-up"]


def test_arrays_are_the_frames_that_decode(tmp_path: Path) -> None:
    record = run(tmp_path, splits=["train"], arrays=True, limit=1)[0]
    kept = np.load(tmp_path / record["arrays"])
    np.testing.assert_array_equal(kept, np.stack(list(decoded(tmp_path / record["video"]))))
    (tmp_path / record["arrays"]).unlink()
    assert run(tmp_path, splits=["train"], limit=1)[0]["arrays"] == record["arrays"]
    assert not (tmp_path / record["arrays"]).exists()
    run(tmp_path, splits=["train"], arrays=True, limit=1)
    np.testing.assert_array_equal(np.load(tmp_path / record["arrays"]), kept)


def test_how_many_clips_come_is_known_before_the_first(tmp_path: Path) -> None:
    """36 in all; the shards' make up the whole; a limit is of the shard."""
    told: list[int] = []
    for shard, limit in (((0, 1), None), ((0, 1), 7), ((0, 2), None), ((1, 2), None), ((0, 2), 3)):
        job = Job(tmp_path, shard=shard, stop=lambda: True, coming=told.append)
        assert list(make(Demo(**SMALL), str(tmp_path / "demo"), job, limit=limit)) == []
    assert told[:2] == [36, 7] and told[2] + told[3] == 36 and told[4] == 3
