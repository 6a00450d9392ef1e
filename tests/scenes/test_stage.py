"""The stage of scenes: the same bytes however it is run, and no more decoded than is needed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from sbtools.errors import ClipError, SbtoolsError, UsageError
from sbtools.job import Job
from sbtools.records import Record
from sbtools.rng import shard_of
from sbtools.scenes.base import Shown
from sbtools.scenes.forward import Forward
from sbtools.scenes.framing import Framing
from sbtools.scenes.stage import scenes
from sbtools.scenes.task import FrameTask
from sbtools.store import check_store
from sbtools.video.stream import Stream
from tests.making import figure_frames, write_video
from tests.scenes.made import Small, image_folder, picture, ran, rows


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of eight clips of a few images; c3 is none."""
    root = tmp_path_factory.mktemp("scenes")
    for number in range(8):
        image_folder(root / f"c{number}", [picture(10 * number + n) for n in range(3)])
    for path in (root / "c3").iterdir():
        path.write_bytes(b"no image")
    return root


RECORDS: list[Record] = [{"id": f"c{n}", "video": f"c{n}", "fps": 5.0, "scene": "abc"[n % 3]}
                         for n in range(8)]  # fmt: skip


@pytest.fixture(scope="module")
def whole(home: Path) -> dict[str, bytes]:
    done = ran(RECORDS, home, Small(), "plain")
    assert [r["id"] for r in done] == [r["id"] for r in RECORDS]
    assert [r["id"] for r in done if "error" in r] == ["c3"]
    assert done[3]["error"]["stage"] == "scenes" and "scene_scores" not in done[3]
    found = rows(done, home)
    assert len(set(found.values())) == 7 and list(check_store(str(home / "plain"))) == []
    return found


@pytest.mark.parametrize(
    "how",
    [{"batch": 1}, {"batch": 8}, {"backwards": True}, {"workers": 1}, {"threads": 3, "batch": 8}],
    ids=str,
)
def test_the_same_bytes_however_it_is_run(
    how: dict[str, Any], home: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    scorer = Small(how.get("batch", 3))
    scorer.forward._threads = how.get("threads", 1)
    records = RECORDS[::-1] if how.get("backwards") else RECORDS
    done = ran(records, home, scorer, str(tmp_path / "s"), workers=how.get("workers", 0))
    assert rows(done, home) == whole
    assert max(scorer.calls) == min(how.get("batch", 3), 7)


def test_shards_make_the_same_store(home: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    found: dict[str, bytes] = {}
    for index in range(2):
        own = [r for r in RECORDS if shard_of(r["id"], 2) == index]
        assert 0 < len(own) < 8
        done = ran(own, home, Small(), str(tmp_path / "s"), shard=(index, 2))
        found |= rows(done, home)
    assert found == whole


def test_whole_batches_are_given_to_a_gpu_filled_up_with_zeros() -> None:
    """The way of a GPU on the CPU: each batch has one size, and a row its own scores."""
    scorer, images = Small(), [picture(n, 24, 24) for n in range(5)]
    scorer.forward.device = torch.device("meta")  # is no CPU
    sizes = []

    def run(forward: Any, part: Any, constants: str) -> Any:
        sizes.append(len(part))
        return np.stack([image.mean((0, 1)) for image in part])

    scorer.forward._pass = lambda _, part, constants: run(_, part, constants)  # type: ignore[method-assign]
    found = scorer.forward(scorer.network, images, "imagenet")
    assert sizes == [3, 3] and found.shape == (5, 3)
    np.testing.assert_array_equal(found, [image.mean((0, 1)) for image in images])


def test_running_again_prints_the_same_and_scores_nothing(
    home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = str(tmp_path / "s")
    first = ran(RECORDS[:2], home, Small(), store)
    again, scorer = RECORDS[:4], Small()
    done = ran(again, home, scorer, store)
    assert done[:2] == first and scorer.calls == [1]
    (home / "c3" / "note").touch()
    with caplog.at_level(logging.INFO, "sbtools"):
        others = [{**r, "label": "walk", "made": {"index": "x"}} for r in RECORDS[:2]]
        scorer = Small()
        found = ran(others, home, scorer, store)
    assert scorer.calls == [] and "2 clips were done already" in caplog.text
    assert [r["label"] for r in found] == ["walk"] * 2
    assert found[0]["made"] == {"index": "x", **first[0]["made"]}
    assert found[0]["scene_scores"] == first[0]["scene_scores"]


def test_a_clip_of_another_part_of_the_video_is_scored_again(home: Path, tmp_path: Path) -> None:
    store = str(tmp_path / "s")
    before = rows(ran(RECORDS[:1], home, Small(), store), home)
    later = {**RECORDS[0], "start": 0.4}  # the last of three frames, 5 a second
    after = rows(ran([later], home, Small(), store), home)
    assert before["c0"] != after["c0"] and list(check_store(store)) == []


def test_an_error_upstream_loses_no_clip_that_waits_for_its_batch(
    home: Path, tmp_path: Path
) -> None:
    def incoming() -> Iterator[Record]:
        yield from (dict(r) for r in RECORDS[:2])
        raise SbtoolsError("line 3")

    out = scenes(incoming(), Job(root=home), Small(), str(tmp_path / "s"))
    found = []
    with pytest.raises(SbtoolsError, match="line 3"):
        found += [next(out), next(out), next(out)]
    assert len(rows(ran(RECORDS[:2], home, scorer := Small(), str(tmp_path / "s")), home)) == 2
    assert scorer.calls == []


class Odd(Small):
    """Its second batch has no memory; its scores may be of another shape, or none."""

    def __init__(self, how: str) -> None:
        super().__init__(2)
        self.how = how

    def score(self, clips: Any) -> Any:
        found = super().score(clips)
        if self.how == "memory" and len(self.calls) == 2:
            raise ClipError("memory", "too large")
        if self.how == "nan":
            found[0, 0] = np.nan
        return found[:, :3] if self.how == "shape" else found


def test_scores_that_are_none_fail_their_clips(home: Path, tmp_path: Path) -> None:
    few = [r for r in RECORDS if r["id"] != "c3"][:6]
    done = ran(few, home, Odd("memory"), str(tmp_path / "a"))
    assert [r["id"] for r in done if "error" in r] == ["c2", "c4"]
    assert {r["error"]["kind"] for r in done if "error" in r} == {"memory"}
    done = ran(few[:3], home, Odd("nan"), str(tmp_path / "b"))
    assert ["error" in r for r in done] == [True, False, True]
    with pytest.raises(SbtoolsError, match=r"scores \[2, 3\] for 2 clips and 7 scenes"):
        ran(few, home, Odd("shape"), str(tmp_path / "c"))


def bare(path: Path, number: int) -> int:
    """Frames that PyAV decodes for that one, from the nearest keyframe before it."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        wanted = [packet.pts for packet in container.demux(stream) if packet.pts is not None]
        at = sorted(wanted)[number]
        container.seek(at, stream=stream)
        count = 0
        for frame in container.decode(stream):
            count += 1
            if frame.pts is not None and frame.pts >= at:
                break
        return count


@pytest.mark.parametrize("gop", [16, 7])
def test_no_more_is_decoded_than_the_middle_frame_needs(
    gop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 40 frames number 20: 5 frames from the keyframe 16, 7 from 14 to 20."""
    options = {"g": str(gop), "keyint_min": str(gop), "sc_threshold": "0", "bf": "0"}
    path = write_video(tmp_path / "v.mp4", figure_frames(40), options=options)
    counts: list[int] = []
    plain = Stream.decode

    def counted(self: Stream, packet: Any) -> Iterator[Any]:
        for frame in plain(self, packet):
            counts.append(frame.pts)
            yield frame

    monkeypatch.setattr(Stream, "decode", counted)
    (chunk,) = FrameTask(str(tmp_path), Framing(24, 32))({"id": "v", "video": str(path)})
    assert chunk["info"].wanted == [20] and (chunk["info"].height, chunk["info"].width) == (72, 96)
    assert len(counts) == bare(path, 20) == 20 - 20 // gop * gop + 1


@pytest.mark.parametrize("size", [(45, 70), (301, 200), (33, 32), (250, 256), (64, 64)])
def test_frames_are_resized_and_cropped_as_torchvision_does(size: tuple[int, int]) -> None:
    frame = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    shown = Image.fromarray(frame)
    both = transforms.Compose([transforms.Resize((37, 37)), transforms.CenterCrop(24)])
    np.testing.assert_array_equal(Framing(24, 37, squash=True)(frame), np.asarray(both(shown)))
    short = transforms.Compose([
        transforms.Resize(31, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(31),
    ])  # fmt: skip
    np.testing.assert_array_equal(Framing(31, 31, how="bicubic")(frame), np.asarray(short(shown)))


def test_a_batch_is_a_whole_number() -> None:
    with pytest.raises(UsageError, match="--batch is a whole number above 0 or auto, not '0'"):
        Forward("cpu", "0")


def test_rows_do_not_depend_on_the_clips_beside_them() -> None:
    scorer = Small(8)
    images = [Framing(24, 32)(picture(n)) for n in range(6)]
    together = scorer.score([Shown({"id": str(n)}, image) for n, image in enumerate(images)])
    for row, image in zip(together, images, strict=True):
        np.testing.assert_array_equal(scorer.score([Shown({"id": "x"}, image)])[0], row)
