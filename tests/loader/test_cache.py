"""The cache changes nothing but the time, and holds nothing half written."""

from __future__ import annotations

import os
import resource
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sbtools.errors import OutputError
from sbtools.loader import Clips, Failure, Sample
from sbtools.loader import cache as caching
from sbtools.models.recipe import Recipe
from sbtools.records import Record
from tests.loader.made import PLAIN, drawn, make, shapes
from tests.making import write_video

CLASSES = ["walk", "wave"]
ALL = frozenset({"masks", "boxes", "other"})
RECIPE = Recipe(size=64)


@pytest.fixture
def known(tmp_path: Path) -> tuple[Path, list[Record]]:
    """Three clips of a folder that may be changed."""
    return tmp_path, make(tmp_path, ["c0", "c1", "c2"], numbers=range(0, 24, 2))


def build(known: tuple[Path, list[Record]], recipe: Recipe = RECIPE, **options: Any) -> Clips:
    return Clips(known[1], CLASSES, recipe, root=known[0], **{"needs": ALL, **options})


def same(one: Any, two: Any) -> bool:
    assert isinstance(one, Sample) and isinstance(two, Sample), (one, two)
    masks = [np.array_equal(one.arrays[name], two.arrays[name]) for name in one.arrays]
    return np.array_equal(one.frames, two.frames) and all(masks) and len(masks) == len(two.arrays)


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"train": False, "clips": 2, "crops": 3},
        {"fixed_frames": True},
        {"recipe": Recipe(size=64, resize_test="bicubic"), "train": False},
        {"recipe": Recipe(size=64, sampling="dense:8x1", crop="resized")},
        {"recipe": Recipe(size=64, sampling="segments:4x2"), "train": False, "clips": 2},
    ],
)
def test_samples_are_the_same(known: tuple[Path, list[Record]], options: dict[str, Any]) -> None:
    folder = known[0] / "cache"
    with_, without = build(known, cache=folder, **options), build(known, **options)
    for epoch in range(3):
        for place in range(len(without)):
            assert same(with_[place, epoch], without[place, epoch])
    assert len(entries(folder)) == 3


def test_later_epochs_do_without_the_videos_and_the_masks(
    known: tuple[Path, list[Record]],
) -> None:
    made = build(known, cache=known[0] / "cache")
    wanted = [build(known)[place, 5] for place in range(3)]
    for place in range(3):
        made[place, 0]
    for path in known[0].glob("*.mkv"):
        path.unlink()
    shutil.rmtree(known[0] / "masks")
    made.reader.stores.close()
    assert all(same(made[place, 5], wanted[place]) for place in range(3))


def test_holds_exactly_the_candidates_and_packed_masks(known: tuple[Path, list[Record]]) -> None:
    made = build(known, cache=known[0] / "cache", needs={"masks"})
    assert isinstance(made[0, 0], Sample)
    (entry,) = entries(known[0] / "cache")
    frames, masks = 12 * 73 * 97 * 3, 2 * 12 * 73 * 13
    line = entry.read_bytes().index(b"\n") + 1
    assert entry.stat().st_size == line + frames + masks
    fixed = build(known, cache=known[0] / "fixed", needs=(), train=False, frames=4)
    assert isinstance(fixed[0, 0], Sample)
    (entry,) = entries(known[0] / "fixed")
    assert entry.stat().st_size - entry.read_bytes().index(b"\n") - 1 == 4 * 73 * 97 * 3


def test_another_setting_is_another_entry(known: tuple[Path, list[Record]]) -> None:
    folder = known[0] / "cache"
    for number, options in enumerate(
        [
            {},
            {"recipe": replace(RECIPE, short=90)},
            {"needs": {"masks"}},
            {"fixed_frames": True},
            {"fixed_frames": True, "frames": 4},
            {"recipe": Recipe(size=64, resize_test="bicubic"), "train": False},
        ],
        1,
    ):
        made = build(known, cache=folder, **{"needs": {"boxes"}, **options})
        assert isinstance(made[0, 0], Sample)
        assert len(entries(folder)) == number
    again = build(known, replace(RECIPE, jitter=0, normalise="clip"), cache=folder, needs={"boxes"})
    assert isinstance(again[0, 0], Sample) and len(entries(folder)) == 6


def test_a_changed_video_is_noticed(known: tuple[Path, list[Record]]) -> None:
    folder, records = known
    plain = [{"id": "v", "video": "c0.mkv", "label": "walk"}]
    options: dict[str, Any] = {"needs": (), "train": False, "cache": folder / "cache"}
    before = build((folder, plain), PLAIN, **options)[0, 0]
    frames = drawn(shapes(24, 96, 128, 5))
    write_video(folder / "c0.mkv", frames, codec="ffv1", pix_fmt="bgr0")
    after = build((folder, plain), PLAIN, **options)[0, 0]
    assert not same(before, after)
    assert same(after, build((folder, plain), PLAIN, **{**options, "cache": None})[0, 0])
    changed = build((folder, records), cache=folder / "cache")[0, 0]
    assert isinstance(changed, Failure) and changed.kind == "changed"


def test_masks_made_otherwise_are_noticed(known: tuple[Path, list[Record]]) -> None:
    folder, _ = known
    options: dict[str, Any] = {"needs": {"masks"}, "cache": folder / "cache"}
    before = build(known, **options)[0, 0]
    shutil.rmtree(folder / "masks")
    other = folder, make(folder, ["c0", "c1", "c2"], numbers=range(1, 24, 2))
    after = build(other, **options)[0, 0]
    assert not same(before, after)
    assert same(after, build(other, needs={"masks"})[0, 0])


@pytest.mark.parametrize("harm", ["cut", "empty", "longer", "noise"])
def test_a_damaged_entry_is_made_again(known: tuple[Path, list[Record]], harm: str) -> None:
    made = build(known, cache=known[0] / "cache")
    wanted = made[1, 1]
    whole = {entry: entry.read_bytes() for entry in entries(known[0] / "cache")}
    for entry, data in whole.items():
        harmed = {"cut": data[:-7], "empty": b"", "longer": data + b"x", "noise": b"n" * 99}
        entry.write_bytes(harmed[harm])
    assert same(made[1, 1], wanted)
    assert same(build(known, cache=known[0] / "cache")[1, 1], wanted)
    assert whole == {entry: entry.read_bytes() for entry in entries(known[0] / "cache")}


def test_a_full_disk_is_an_output_error(known: tuple[Path, list[Record]]) -> None:
    folder = known[0] / "cache"
    made = build(known, cache=folder)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OutputError, match=r"cannot write the cache .* File too large"):
            made[0, 0]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert entries(folder) == []
    assert same(made[0, 0], build(known)[0, 0])


def test_a_place_for_the_cache_that_cannot_be(known: tuple[Path, list[Record]]) -> None:
    (known[0] / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write the cache"):
        build(known, cache=known[0] / "file")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_killed_while_writing(
    known: tuple[Path, list[Record]], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A process that ends before the rename leaves nothing that is taken for an entry."""
    folder = known[0] / "cache"
    made = build(known, cache=folder)
    if not (child := os.fork()):
        monkeypatch.setattr(caching.os, step, lambda *given: os._exit(9))
        made[0, 0]
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    (left,) = entries(folder)
    assert ".tmp-" in left.name
    assert same(made[0, 0], build(known)[0, 0])


def test_a_cut_video_fails_where_it_would_without(known: tuple[Path, list[Record]]) -> None:
    """Only the frames that are shown must decode."""
    folder, _ = known
    data = (folder / "c0.mkv").read_bytes()
    (folder / "cut.mkv").write_bytes(data[: len(data) * 3 // 4])
    records = [{"id": "cut", "video": "cut.mkv", "label": "walk"}]
    options: dict[str, Any] = {"needs": (), "frames": 2}
    with_ = build((folder, records), cache=folder / "cache", **options)
    without = build((folder, records), **options)
    for epoch in range(10):
        one, two = with_[0, epoch], without[0, epoch]
        assert type(one) is type(two)
        if isinstance(one, Sample):
            assert same(one, two)
