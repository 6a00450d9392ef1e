"""Tracks of boxes: a dataset beside them, where any box has one."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from stored import BOX, BOXES, attrs_of, images, make, unsealed

from sbtools.errors import DamagedError
from sbtools.store import Stores, StoreWriter, check_store, digest

PART = "000of001-00000.h5"
A = "clips/a"
TRACKED = [{**BOX, "track": 3}, BOXES[1], {**BOX, "frame": 14, "track": 2**31 - 1}]


def store(folder: Path, boxes: Sequence[Mapping[str, Any]]) -> str:
    arrays = images("a")
    kept = {name: arrays[name] for name in ("frame", "time", "person", "object")}
    with StoreWriter(str(folder), "masks", {}, {}) as writer:
        writer.add({"id": "a"}, attrs_of(arrays), kept, boxes)
        writer.close(done=True)
    return str(folder)


def boxes_of(folder: str | Path) -> list[dict[str, Any]]:
    return Stores().clip(f"{folder}/{PART}::{A}").boxes


def test_tracks_come_back_as_they_went(tmp_path: Path) -> None:
    """A box without one, beside others, has none."""
    folder = store(tmp_path / "s", TRACKED)
    found = boxes_of(folder)
    assert found == TRACKED and [list(box) for box in found] == [list(box) for box in TRACKED]
    assert list(check_store(folder)) == []


def test_boxes_that_name_no_track_are_stored_as_those_without(tmp_path: Path) -> None:
    folder = store(tmp_path / "s", [{**box, "track": None} for box in BOXES])
    assert boxes_of(folder) == BOXES
    assert digest(folder) == digest(store(tmp_path / "plain", BOXES))


def test_they_are_what_the_manual_says(tmp_path: Path) -> None:
    """With h5py and zlib alone; the rows of the boxes are as they would be without."""
    store(tmp_path / "s", TRACKED)
    plain = [{name: box[name] for name in BOX} for box in TRACKED]
    store(tmp_path / "plain", plain)
    with h5py.File(tmp_path / "s" / PART) as part, h5py.File(tmp_path / "plain" / PART) as without:
        clip = part[A]
        assert clip["track"].dtype == "<i4" and clip["track"].fletcher32
        assert clip["track"][()].tolist() == [3, -1, 2**31 - 1]
        sums = json.loads(clip.attrs["crc32"])
        assert sums["track"] == zlib.crc32(np.array([3, -1, 2**31 - 1], "<i4").tobytes())
        assert "track" not in without[A]
        assert json.loads(without[A].attrs["crc32"]).keys() == sums.keys() - {"track"}
        assert without[A]["boxes"][()].tobytes() == clip["boxes"][()].tobytes()


def test_the_digest_tells_tracks_apart(tmp_path: Path) -> None:
    """Equal tracks are equal; other ones, and none, are not."""
    other = [{**TRACKED[0], "track": 4}, *TRACKED[1:]]
    plain = [{name: box[name] for name in BOX} for box in TRACKED]
    found = [
        digest(store(tmp_path / str(place), boxes))
        for place, boxes in enumerate((TRACKED, TRACKED, other, plain))
    ]
    assert found[0] == found[1] and len(set(found)) == 3


def resized(count: int) -> Callable[[h5py.Group], None]:
    def change(clip: h5py.Group) -> None:
        del clip["track"]
        clip.create_dataset("track", data=np.zeros(count, "<i4"), chunks=(count,))

    return change


def typed(clip: h5py.Group) -> None:
    del clip["track"]
    clip.create_dataset("track", data=np.zeros(3, "<i8"), chunks=(3,))


def negative(clip: h5py.Group) -> None:
    clip["track"][1] = -2


HOSTILE = {
    "fewer": (resized(2), "track is not one of each box"),
    "more": (resized(4), "track is not one of each box"),
    "below": (negative, "track is not one of each box"),
    "wide": (typed, "track is not of type int32"),
    "alone": (lambda clip: clip.pop("boxes"), "there are tracks, but no boxes"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_tracks_that_belong_to_no_boxes_are_damage(case: str, tmp_path: Path) -> None:
    """Of a part without checksums, as another program may write it."""
    folder = store(tmp_path / "s", TRACKED)
    change, words = HOSTILE[case]
    with h5py.File(tmp_path / "s" / PART, "r+", libver=("v110", "v110")) as part:
        change(part[A])
        unsealed(part)
    told = list(check_store(folder))
    assert len(told) == 1 and words in told[0] and A in told[0]
    if case != "alone":
        with pytest.raises(DamagedError, match=words):
            boxes_of(folder)


def gone(clip: h5py.Group) -> None:
    del clip["track"]


def swapped(clip: h5py.Group) -> None:
    clip["track"][:2] = [-1, 3]


@pytest.mark.parametrize("change", [gone, swapped])
def test_tracks_that_were_changed_are_noticed(
    change: Callable[[h5py.Group], None], tmp_path: Path
) -> None:
    folder = store(tmp_path / "s", TRACKED)
    with h5py.File(tmp_path / "s" / PART, "r+", libver=("v110", "v110")) as part:
        change(part[A])
    with pytest.raises(DamagedError, match="was changed since it was written"):
        boxes_of(folder)
    assert any("was changed since" in line for line in check_store(folder))


def test_clips_with_and_without_stand_in_one_store(tmp_path: Path) -> None:
    store(tmp_path / "s", TRACKED)
    make(tmp_path / "s", ["a", "b"], what={})
    assert list(check_store(str(tmp_path / "s"))) == []
    assert Stores().clip(f"{tmp_path}/s/000of001-00001.h5::clips/b").boxes == BOXES
