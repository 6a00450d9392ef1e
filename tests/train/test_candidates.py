"""The frames that a training draws from: those of the store, and which of them each epoch shows."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sbtools.errors import UsageError
from sbtools.mask.fill import NORMALISE
from sbtools.models.recipe import Recipe
from sbtools.records import Record
from sbtools.store import StoreWriter
from sbtools.train.candidates import Candidates, look_at
from sbtools.train.checkpoint import read
from sbtools.train.folder import RunFolder, read_run
from sbtools.train.gather import gather
from sbtools.train.optimizer_step import OptimizerStep
from sbtools.train.plan import TrainFlags
from sbtools.train.prepare import Request, prepared
from tests.loader.made import make
from tests.store.stored import WHAT, add
from tests.train import faking

UNIFORM = [1, 4, 7, 10, 13, 16, 19, 22]
"""--frames 8 of 24 frames: floor(24 i / 8 + 24 / 16)."""

SEGMENTS = [8 * i + j for i in range(8) for j in (0, 2, 5, 7)]
"""Four candidates in each of 8 segments of 64 frames."""

EPOCHS = 6
Known = tuple[Path, list[Record]]


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Any:
    """Colours as they are in the video; the log of the program."""
    torch.set_num_threads(1)
    monkeypatch.setattr(faking, "Recipe", partial(Recipe, jitter=0, gray=0))
    monkeypatch.setattr(logging.getLogger("sbtools"), "propagate", True)
    caplog.set_level(logging.INFO, logger="sbtools")
    with faking.registered():
        yield


@pytest.fixture(scope="module")
def uniform(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """Three clips of 24 frames, and masks of 8 of them."""
    folder = tmp_path_factory.mktemp("uniform")
    return folder, make(folder, ["a", "b", "c"], 24, (48, 64), UNIFORM)


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """Three clips of 64 frames, and masks of `segments:8x4`."""
    folder = tmp_path_factory.mktemp("segments")
    return folder, make(folder, ["a", "b", "c"], 64, (48, 64), SEGMENTS)


def request(run: Path, root: Path, method: str = "none", **values: Any) -> Request:
    given = {"frames": 8, "epochs": EPOCHS, "batch": 3, **values}
    return Request(str(run), TrainFlags("fake", method, values=given), str(root))


def begin(asked: Request, records: Sequence[Record]) -> dict[str, Any]:
    """RUN as the launcher leaves it for the ranks; what run.json says."""
    with RunFolder(asked.folder) as run:
        with prepared(asked, iter(records), run.path, 1, run.told) as ready:
            assert ready is not None
            run.take(ready.told, ready.files)
    told = read_run(asked.folder)
    assert told is not None
    return told


def seen_in(run: str, root: Path, monkeypatch: pytest.MonkeyPatch, stop: int = -1) -> list[Any]:
    """The numbers of the frames that each step shows, {id: [T]}, as the colours of pixels tell."""
    seen: list[dict[str, list[int]]] = []
    plain = OptimizerStep.__call__

    def noted(updates: OptimizerStep, batch: Any, *rest: Any) -> Any:
        videos = zip(batch["id"], batch["video"], strict=True)
        seen.append({id: numbers(video) for id, video in videos})
        return plain(updates, batch, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(OptimizerStep, "__call__", noted)
        faking.train(run, root, faking.Stop(stop))
    return seen


def numbers(video: torch.Tensor) -> list[int]:
    """The blue of the dark background of frame n is 4 n."""
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in NORMALISE[Recipe().normalise])
    frames = (255 * (video * std + mean)).round().numpy()
    return [round(float(np.median(f[2][f[0] < 60])) / 4) for f in frames]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]


@pytest.mark.parametrize("method", ["none", "mask"])
def test_a_store_of_as_many_frames_as_the_model_sees_shows_these_in_every_epoch(
    method: str, uniform: Known, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    folder, records = uniform
    told = begin(request(tmp_path / "run", folder, method), records)
    assert told["settings"]["fixed_frames"] is True
    assert told["frame_source"] == {"masks": 3, "candidates": 8}
    (said,) = warnings(caplog)
    assert "--fixed-frames" in said and "segments:8x4" in said and "\n" not in said
    seen = seen_in(str(tmp_path / "run"), folder, monkeypatch)
    assert seen == [dict.fromkeys(step, UNIFORM) for step in seen]
    assert len(seen) == EPOCHS and all(step.keys() == {"a", "b", "c"} for step in seen)


def test_candidates_of_segments_are_drawn_one_a_segment_anew_in_each_epoch(
    segments: Known, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """And alike with and without masking: runs that are compared see the same frames."""
    folder, records = segments
    seen = {}
    for method in ("none", "mask"):
        told = begin(request(tmp_path / method, folder, method), records)
        assert told["settings"]["fixed_frames"] is False and not warnings(caplog)
        assert told["frame_source"] == {"masks": 3, "candidates": 32}
        seen[method] = seen_in(str(tmp_path / method), folder, monkeypatch)
    shown = [frames for step in seen["none"] for frames in step.values()]
    assert all([number // 8 for number in frames] == list(range(8)) for frames in shown)
    drawn = set(chain.from_iterable(shown))
    assert drawn <= set(SEGMENTS) and len(drawn) > 24
    assert len({tuple(frames) for frames in shown}) == 3 * EPOCHS
    assert [dict(sorted(step.items())) for step in seen["mask"]] == [
        dict(sorted(step.items())) for step in seen["none"]
    ]


@pytest.mark.parametrize("method", ["none", "mask"])
def test_fewer_frames_than_the_model_sees_are_refused(
    method: str, uniform: Known, tmp_path: Path
) -> None:
    folder, records = uniform
    asked = request(tmp_path / "run", folder, method, frames=16)
    with pytest.raises(UsageError) as caught:
        begin(asked, records)
    said = str(caught.value)
    assert "hold 8 frames of a clip, and the model sees 16" in said and "segments:16x4" in said
    assert "\n" not in said and not (tmp_path / "run").exists()


def test_fewer_frames_are_shown_twice_where_that_is_asked_for(
    uniform: Known, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    folder, records = uniform
    begin(request(tmp_path / "run", folder, frames=16, fixed_frames=True, epochs=1), records)
    assert not warnings(caplog)
    (step,) = seen_in(str(tmp_path / "run"), folder, monkeypatch)
    assert step["a"] == sorted(2 * UNIFORM)


def test_a_stop_and_the_same_command_show_the_same_frames_again(
    uniform: Known, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, records = uniform
    for name in ("whole", "stopped"):
        begin(request(tmp_path / name, folder, "mask"), records)
    seen_in(str(tmp_path / "whole"), folder, monkeypatch)
    seen = seen_in(str(tmp_path / "stopped"), folder, monkeypatch, stop=3)
    assert 0 < len(seen) < EPOCHS
    told = begin(request(tmp_path / "stopped", folder, "mask"), records)
    assert told["settings"]["fixed_frames"] is True
    seen += seen_in(str(tmp_path / "stopped"), folder, monkeypatch)
    assert seen == [dict.fromkeys(step, UNIFORM) for step in seen] and len(seen) == EPOCHS
    one, two = (read(str(tmp_path / name / "last.pt"))[0] for name in ("whole", "stopped"))
    assert all(torch.equal(one["model"][key], two["model"][key]) for key in one["model"])


@pytest.mark.parametrize("frames", [8, 16])
def test_a_run_of_an_older_version_goes_on_as_it_began(
    frames: int, uniform: Known, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It drew among too few frames, with a warning, and knew no fixed frames."""
    folder, records = uniform
    run = tmp_path / "run"
    told = begin(request(run, folder, frames=frames, fixed_frames=True), records)
    told["settings"]["fixed_frames"] = False
    (run / "run.json").write_text(json.dumps(told))
    (run / "last.pt").write_bytes(b"weights")
    again = begin(request(run, folder, frames=frames), records)
    assert again == told
    assert ["each epoch shows the same" in said for said in warnings(caplog)] == [True]


def test_a_store_made_anew_with_more_frames_is_another_training(
    uniform: Known, segments: Known, tmp_path: Path
) -> None:
    begin(request(tmp_path / "run", uniform[0]), uniform[1])
    (tmp_path / "run" / "last.pt").write_bytes(b"weights")
    with pytest.raises(UsageError, match="begun with fixed_frames true, not false"):
        begin(request(tmp_path / "run", segments[0]), segments[1])


def test_short_clips_that_a_store_holds_whole_are_drawn_from_as_videos_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for count in (6, 8):
        folder = tmp_path / str(count)
        folder.mkdir()
        told = begin(request(folder / "run", folder, "mask"), make(folder, ["a", "b", "c"], count))
        assert told["settings"]["fixed_frames"] is False
        assert told["frame_source"]["candidates"] == count
    assert not warnings(caplog)


def test_of_records_of_two_kinds_the_most_decide(tmp_path: Path) -> None:
    """Three clips with 8 masks, and three or two without any, which have all their frames."""
    masked = make(tmp_path, ["a", "b", "c"], numbers=UNIFORM)
    plain = [{k: v for k, v in record.items() if k != "masks"} for record in masked]
    plain = [{**record, "id": f"plain{at}"} for at, record in enumerate(plain)]
    for others, few in ((3, None), (2, 8)):
        found = gather([*masked, *plain[:others]], str(tmp_path), "records.jsonl")
        assert look_at(found, str(tmp_path), 8) == Candidates(8, few)
        assert look_at(found, str(tmp_path), 7) == Candidates(8, None)


def masks_store(folder: Path, id: str, frames: int) -> str:
    """A store with masks of so many of the 300 frames of a clip; its address."""
    with StoreWriter(str(folder), "masks", what=WHAT, run={"command": "test"}) as writer:
        found = [*add(writer, id, count=frames), *writer.close()]
    address: str = found[-1]["masks"]
    return address


def test_what_is_known_of_a_part_of_a_video(tmp_path: Path) -> None:
    """The packets are of the whole file; `frames` counts those of the clip."""
    (tmp_path / "0.mp4").write_bytes(b"")
    record = {"id": "clip0", "video": "0.mp4", "label": "walk"}
    record["masks"] = masks_store(tmp_path / "masks", "clip0", frames=8)
    for more, few in (
        ({}, 8),
        ({"frames": 8}, None),
        ({"frames": 9}, 8),
        ({"start": 0.0, "end": 0.3}, 8),
        ({"start": 0.0, "end": 0.3, "frames": 8}, None),
    ):
        found = gather([{**record, **more}], str(tmp_path), "records.jsonl")
        assert look_at(found, str(tmp_path), 8).few == few, more


def test_a_store_or_videos_that_are_not_there_name_the_root(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records = [{"id": f"clip{n}", "video": f"{n}.mp4", "label": "walk"} for n in (0, 1)]
    found = gather(records, str(tmp_path), "records.jsonl")
    with pytest.raises(UsageError, match=r"none of the videos can be found: .*--root"):
        look_at(found, str(tmp_path), 8)
    (tmp_path / "0.mp4").write_bytes(b"")
    assert look_at(found, str(tmp_path), 8) == Candidates()
    assert "1 of 2 videos that were looked for are missing" in caplog.text
    records[0]["masks"] = "no.h5::clips/a"
    found = gather(records[:1], str(tmp_path), "records.jsonl")
    with pytest.raises(UsageError, match=r"clip0: .*no\.h5"):
        look_at(found, str(tmp_path), 8)


@pytest.mark.parametrize("rule", ["dense:8x2", "segments:4x2"])
def test_neighbours_are_not_taken_from_a_store_that_leaves_frames_out(
    rule: str, segments: Known, uniform: Known, tmp_path: Path
) -> None:
    def told(known: Known) -> Any:
        asked = TrainFlags("vificlip", model_pairs=["arch=tiny", f"sampling={rule}"])
        return begin(Request(str(tmp_path / "run"), asked, str(known[0])), known[1])

    with pytest.raises(UsageError, match=rf"{rule} .* hold 32 of a clip.* --frames all"):
        told(segments)
    assert told(uniform)["settings"]["model_settings"]["sampling"] == rule  # every third frame
