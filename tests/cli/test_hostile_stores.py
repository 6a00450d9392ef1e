"""Stores that promise more than there is, and parts that do not say what they were made from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from sbtools.cli.group import group
from sbtools.loader import Clips, Failure
from sbtools.models.recipe import Recipe
from sbtools.store import StoreWriter
from sbtools.video import digest
from tests.cli.running import lines, sbtools
from tests.fuzz.corpus import EVAL, MODEL
from tests.making import figure_frames, write_video
from tests.store.stored import unsealed

PART = "masks/000of001-00000.h5"
MANY, SIDE = 20_000, 6000


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clip of 4 frames and its masks."""
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "a.avi", figure_frames(4, 32, 32), codec="mpeg4")
    attrs = {"height": 32, "width": 32, "packets": 4, "digest": digest("a.avi")}
    arrays = {"frame": np.arange(4), "time": np.arange(4) / 25,
              "person": np.ones((4, 32, 32), np.bool_)}  # fmt: skip
    with StoreWriter("masks", "masks", {"frames": "all"}, {}) as out:
        out.add({"id": "a", "video": "a.avi", "label": "walk"}, attrs, arrays)
        (record,) = out.close()
    (tmp_path / "masks.jsonl").write_text(json.dumps(record) + "\n")
    return tmp_path


def masked(capfd: pytest.CaptureFixture[str]) -> tuple[int, dict[str, str]]:
    """The exit status of mask, and the error of its one record."""
    capfd.readouterr()
    code = group.main(
        ["mask", "--mode", "bg", "--workers", "0", "masks.jsonl"], standalone_mode=False
    )
    (record,) = lines(capfd.readouterr().out.encode())
    return code, record.get("error", {})


def hurt(change: Callable[[h5py.File], None]) -> None:
    """Of a store by somebody else, which has no checksums of ours."""
    with h5py.File(PART, "r+", libver=("v110", "v110")) as part:
        unsealed(part)
        change(part)


def put(part: h5py.File, name: str, **options: object) -> None:
    del part[f"clips/a/{name}"]
    part["clips/a"].create_dataset(name, **options)


def many_frames(part: h5py.File) -> None:
    """As many numbers of frames as are promised."""
    for name, values in (("frame", np.arange(MANY)), ("time", np.arange(MANY) / 25)):
        put(part, name, data=values, chunks=(MANY,), compression=1, fletcher32=True)


def many_masks(part: h5py.File, side: int) -> None:
    """As many masks as are promised, of which the file holds none."""
    shape = (MANY, side, (side + 7) // 8)
    put(part, "person", shape=shape, dtype="u1", chunks=(1, *shape[1:]), compression=9,
        fletcher32=True)  # fmt: skip
    part["clips/a"].attrs["height"] = part["clips/a"].attrs["width"] = np.int64(side)


def larger(part: h5py.File) -> None:
    many_frames(part)
    many_masks(part, SIDE)


def longer(part: h5py.File) -> None:
    many_frames(part)
    many_masks(part, 32)


@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        (larger, "mismatch", "mask is 6000x6000, frame is 32x32"),
        (longer, "mismatch", "there are masks up to frame 19999, and the video has 4 frames"),
    ],
)
def test_masks_are_held_against_the_video_before_any_is_read(
    change: Callable[[h5py.File], None],
    kind: str,
    told: str,
    work: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hurt(change)
    assert (work / PART).stat().st_size < 6 << 20

    def too_early(*given: object) -> None:
        raise AssertionError("a mask was read")

    monkeypatch.setattr("sbtools.store.reader.read_frame", too_early)
    code, error = masked(capfd)
    assert (code, error["kind"], error["message"]) == (3, kind, told)


def test_frames_that_are_promised_and_not_stored_are_damage(
    work: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """HDF5 reads zeros where nothing was written, as often as it is asked."""

    def change(part: h5py.File) -> None:
        put(part, "person", shape=(4, 32, 4), dtype="u1", chunks=(1, 32, 4), compression=9,
            fletcher32=True)  # fmt: skip

    hurt(change)
    code, error = masked(capfd)
    assert (code, error["kind"]) == (5, "damaged")
    assert "person has 0 frames of 4" in error["message"]
    assert group.main(["check", "-q", "masks"], standalone_mode=False) == 5


@pytest.mark.parametrize(
    "made", ["", "{", "[]", '{"what": 1}', "[" * 9000, '{"what": {}, "what": {}, "run": {}}']
)
def test_a_part_that_does_not_say_what_made_it_is_damage(
    made: str, work: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert masked(capfd) == (0, {})
    kind = h5py.string_dtype("utf-8", max(len(made), 1))
    hurt(lambda part: part.attrs.create("made", np.array(made.encode(), kind), dtype=kind))
    for path in (work / "masked").iterdir():
        path.unlink()
    (work / "masked").rmdir()
    code, error = masked(capfd)
    assert (code, error["kind"]) == (5, "damaged") and "attribute made is damaged" in error[
        "message"
    ]


def test_each_command_that_reads_changed_masks_says_so(
    work: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One bit of one frame, set by HDF5 itself, which finds it as sound as the others."""
    with h5py.File(PART, "r+") as part:
        part["clips/a/person"][1, 0, 0] ^= 1
    told = "person: frame 1 was changed since it was written: delete that file, and run the command"
    code, error = masked(capfd)
    assert (code, error["kind"]) == (5, "damaged") and told in error["message"]
    (work / "mine.py").write_text(MODEL)
    shown = ["--model", "mine:mean", "--views", "bg", "-o", "r.json"]
    for status, words in (
        (5, ["check", "-q", "masks"]),
        (5, ["view", "--workers", "0", "-o", "sheet.png", "masks.jsonl"]),
        (1, [*EVAL, *shown, "masks.jsonl"]),  # no clip is left
    ):
        done = sbtools(*words, cwd=work)
        assert done.returncode == status and told in done.stderr.decode(), (words, done)
    (record,) = lines((work / "masks.jsonl").read_bytes())
    clips = Clips([record], (), Recipe(size=32), frames=4, root=str(work), needs={"masks"})
    found = clips[0, 0]
    assert isinstance(found, Failure) and found.kind == "damaged" and told in found.message
