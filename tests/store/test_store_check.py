from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from stored import BOXES, WHAT, attrs_of, images, make, parts, unsealed

from sbtools.errors import DamagedError, UsageError
from sbtools.store import StoreWriter, check_part, check_store, digest

IDS = [f"juggle/clip{number}" for number in range(5)]
KEY = "clips/juggle%2Fclip0"
PART = "000of001-00000.h5"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    make(folder, IDS)
    return folder


@pytest.fixture
def store(tmp_path: Path, whole: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "s"))


def rewrite(name: str, change: Callable[[Any], Any]) -> Callable[[h5py.File], None]:
    """Change a dataset as somebody would who knows HDF5 and nothing of us."""

    def hurt(part: h5py.File) -> None:
        values = change(part[name][()])
        attrs = dict(part[name].attrs)
        chunks = (1, *values.shape[1:]) if values.ndim > 1 else values.shape
        del part[name]
        part.create_dataset(name, data=values, chunks=chunks, fletcher32=True)
        for key, value in attrs.items():
            part[name].attrs[key] = value

    return hurt


def record(**fields: Any) -> Callable[[Any], Any]:
    def change(values: Any) -> Any:
        found = {**json.loads(values.tobytes()), **fields}
        return np.frombuffer(json.dumps(found).encode(), "u1")

    return change


def boxes(**fields: Any) -> Callable[[Any], Any]:
    def change(values: Any) -> Any:
        for name, value in fields.items():
            values[name][0] = value
        return values

    return change


def attribute(name: str, key: str, value: Any) -> Callable[[h5py.File], None]:
    def hurt(part: h5py.File) -> None:
        part[name].attrs[key] = np.bytes_(value) if isinstance(value, str) else value

    return hurt


def move(old: str, new: str) -> Callable[[h5py.File], None]:
    return lambda part: part.move(old, new)


PROBLEMS: list[tuple[Callable[[h5py.File], None], str]] = [
    (attribute(KEY, "id", "juggle/other"), "attribute id is not the group's name"),
    (attribute(KEY, "digest", "13-ff"), "digest differs from the index"),
    (attribute("/", "complete", 2), "is not complete"),
    (attribute("/", "format", "sbtools-pixels"), "sbtools-pixels in a store of sbtools-masks"),
    (attribute("/", "format", "zip"), "is not a part of an sbtools store"),
    (attribute("/", "made", "{}"), "attribute made is damaged"),
    (attribute("/", "made", json.dumps({"what": {}, "run": {}})), "frames '8', not absent"),
    (attribute(f"{KEY}/boxes", "prompts", "["), "attribute prompts is damaged"),
    (attribute(f"{KEY}/boxes", "prompts", "[]"), "name a role or a prompt that is not there"),
    (move(KEY, "clips/juggle%2Fother"), "attribute id is not the group's name"),
    (move(KEY, "clips/juggle%2fclip0"), "is not the key of an id"),
    (lambda part: part.pop(KEY), "clip 'juggle/clip0' of the index is missing"),
    (lambda part: part.copy(part[KEY], part["clips"], "x"), "attribute id is not the group's name"),
    (lambda part: part.create_group("extra"), "'extra' has no place in a store"),
    (lambda part: part[KEY].create_group("extra"), "'extra' has no place in this store"),
    (lambda part: part[KEY].pop("time"), "no time"),
    (rewrite(f"{KEY}/record", record(label="x")), "record differs from the index"),
    (rewrite("index", lambda values: values[:-9]), "/index is damaged"),
    (rewrite("index", lambda values: values[: len(values) // 2]), "/index is damaged"),
    (rewrite(f"{KEY}/frame", lambda values: values[::-1]), "frame does not ascend"),
    (rewrite(f"{KEY}/frame", lambda values: values - 1), "frame does not ascend"),
    (rewrite(f"{KEY}/time", lambda values: values[:2]), "time and frame differ in length"),
    (rewrite(f"{KEY}/time", lambda values: values * np.nan), "time is not a number"),
    (rewrite(f"{KEY}/person", lambda values: values | 1), "bits beyond the right edge in frame 0"),
    (rewrite(f"{KEY}/object", lambda values: values[:, :-1]), "object has shape"),
    (rewrite(f"{KEY}/boxes", boxes(role=2)), "name a role or a prompt that is not there"),
    (rewrite(f"{KEY}/boxes", boxes(prompt=2)), "name a role or a prompt that is not there"),
    (rewrite(f"{KEY}/boxes", boxes(x0=50)), "is not in the frame"),
    (rewrite(f"{KEY}/boxes", boxes(y1=5000)), "is not in the frame"),
    (rewrite(f"{KEY}/boxes", boxes(x1=np.nan)), "is not in the frame"),
    (rewrite(f"{KEY}/boxes", boxes(frame=-1)), "is not in the frame"),
]


@pytest.mark.parametrize(("hurt", "words"), PROBLEMS, ids=[words for _, words in PROBLEMS])
def test_every_problem_is_named(store: Path, hurt: Callable[[h5py.File], None], words: str) -> None:
    """Also where nothing but the problem itself tells of it."""
    with h5py.File(store / PART, "r+") as part:
        unsealed(part)
        hurt(part)
    found = list(check_store(str(store)))
    assert [line for line in found if words in line]
    assert len(set(found)) == len(found)
    assert all(line.startswith(str(store)) and "\n" not in line for line in found)


def test_a_clip_in_another_part_than_its_record_says_is_named(store: Path) -> None:
    (store / PART).rename(store / "000of001-00007.h5")
    found = list(check_store(str(store)))
    assert len(found) == len(IDS)
    assert all("record gives another address" in line for line in found)


def test_a_folder_that_is_no_store_is_named(tmp_path: Path) -> None:
    assert list(check_store(str(tmp_path))) == [f"{tmp_path}: no made.json"]
    assert len(list(check_store(str(tmp_path / "none")))) == 1
    with pytest.raises(UsageError, match="is not a store"):
        digest(str(tmp_path))


@pytest.mark.parametrize("kind", ["masks", "pixels"])
def test_a_flipped_bit_is_found(tmp_path: Path, kind: str) -> None:
    """300 flips anywhere in a part: at least 99 of 100 are found, none ends the process."""
    make(tmp_path, IDS[:3], kind)
    path = tmp_path / parts(tmp_path)[0]
    data, rng = path.read_bytes(), random.Random(kind)
    silent = 0
    for _ in range(300):
        flipped = bytearray(data)
        flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        silent += not list(check_part(str(path)))
    assert silent <= 3


def test_a_flipped_bit_in_the_pixels_is_named_with_its_frame(tmp_path: Path) -> None:
    make(tmp_path, IDS[:1], "pixels")
    path = tmp_path / parts(tmp_path)[0]
    data = path.read_bytes()
    place = data.index(images(IDS[0])["rgb"][1].tobytes())
    path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    [problem] = check_store(str(tmp_path))
    assert problem.startswith(f"{path}::{KEY}/rgb: ")
    with pytest.raises(DamagedError, match="rgb"):
        digest(str(tmp_path))


def variant(folder: Path, **changes: Any) -> str:
    """The digest of a store of one clip, one thing changed."""
    arrays = {name: images("a")[name] for name in ("frame", "time", "person", "object")}
    record = {"id": changes.pop("id", "a"), "label": changes.pop("label", "x")}
    options = {"what": WHAT, "run": {}, "shard": (0, 1), **changes.pop("options", {})}
    shown = changes.pop("boxes", BOXES)
    arrays = {name: values for name, values in {**arrays, **changes}.items() if values is not None}
    with StoreWriter(str(folder), "masks", **options) as writer:
        writer.add(record, attrs_of(images("a")), arrays, shown)
        writer.close()
    return digest(str(folder))


def flipped(name: str) -> Any:
    values = images("a")[name].copy()
    values[2, 32, 44] ^= True
    return values


CHANGES: list[dict[str, Any]] = [
    {"id": "b"},
    {"label": "y"},
    {"frame": np.array([0, 7, 15])},
    {"time": np.array([0, 0.1, 0.2])},
    {"person": flipped("person")},
    {"object": flipped("object")},
    {"object": None},
    {"boxes": BOXES[:1]},
    {"boxes": [BOXES[0], {**BOXES[1], "score": 0.25}]},
    {"boxes": [BOXES[0], {**BOXES[1], "prompt": "ball"}]},
    {"boxes": None},
    {"boxes": []},
    {"options": {"what": {**WHAT, "frames": "all"}}},
]


def test_whatever_means_something_changes_the_digest(tmp_path: Path) -> None:
    seen = {variant(tmp_path / "s")}
    for number, changes in enumerate(CHANGES):
        seen.add(variant(tmp_path / f"s{number}", **changes))
    assert len(seen) == 1 + len(CHANGES)


@pytest.mark.parametrize(
    "options",
    [
        {"run": {"command": "another", "workers": 2}},
        {"what": {**WHAT, "version": "0.2"}},
        {"what": {name: WHAT[name] for name in reversed(WHAT)}},
        {"shard": (3, 64)},
        {"root": "/"},
    ],
    ids=["run", "version", "order", "shard", "root"],
)
def test_what_means_nothing_leaves_the_digest(tmp_path: Path, options: dict[str, Any]) -> None:
    assert variant(tmp_path / "s") == variant(tmp_path / "t", options=options)


def test_order_parts_and_compression_leave_the_digest(tmp_path: Path) -> None:
    make(tmp_path / "s", IDS, "pixels")
    make(tmp_path / "t", IDS[::-1], "pixels", part_clips=2, compress=4)
    assert digest(str(tmp_path / "s")) == digest(str(tmp_path / "t"))
    assert len(parts(tmp_path / "t")) == 3


def test_the_masks_a_record_came_from_may_lie_elsewhere(tmp_path: Path) -> None:
    found = set()
    for place in ("x/000of001-00000.h5", "/y/003of064-00001.h5"):
        folder = tmp_path / str(len(found))
        arrays = {name: images("a")[name] for name in ("frame", "time", "rgb")}
        with StoreWriter(str(folder), "pixels", WHAT, {}) as writer:
            record = {"id": "a", "masks": f"{place}::clips/a"}
            writer.add(record, attrs_of(images("a")), arrays)
            writer.close()
        assert list(check_store(str(folder))) == []
        found.add(digest(str(folder)))
    assert len(found) == 1
