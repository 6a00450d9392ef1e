"""A value of masks or pixels that HDF5 itself has set, checksum and all, does not go unseen."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from stored import images, make, parts, unsealed

from sbtools.errors import DamagedError
from sbtools.store import StoredClip, Stores, StoreWriter, check_store, digest

PART = "000of001-00000.h5"
A, B = "clips/a", "clips/b"
CHANGED = "was changed since it was written: delete that file, and run the command that made it"
Change = Callable[[h5py.File], None]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of each kind, of two clips."""
    folder = tmp_path_factory.mktemp("whole")
    for kind in ("masks", "pixels"):
        make(folder / kind, ["a", "b"], kind)
    with StoreWriter(str(folder / "features"), "features", {}, {}) as writer:
        for id in "ab":
            values = np.arange(6, dtype=np.float32) + ord(id)
            writer.add({"id": id}, {"digest": "1-a"}, {"features": values})
        writer.close()
    return folder


@pytest.fixture
def stores(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "s"))


def value(name: str, *place: Any, to: Any = None) -> Change:
    """One value is another, in place."""

    def change(part: h5py.File) -> None:
        data = part[f"{A}/{name}"]
        values = data[()]
        values[place] = values[place] + 1 if to is None else to
        data[...] = values

    return change


def text(old: bytes, new: bytes, name: str = f"{A}/record") -> Change:
    """Other letters of a text, as many as before."""

    def change(part: h5py.File) -> None:
        found = part[name][()].tobytes()
        assert old in found and len(old) == len(new)
        part[name][...] = np.frombuffer(found.replace(old, new, 1), "u1")

    return change


def attribute(name: str, to: Any, place: str = A) -> Change:
    def change(part: h5py.File) -> None:
        part[place].attrs[name] = np.bytes_(to) if isinstance(to, str) else to

    return change


def sums(part: h5py.File, place: str) -> Any:
    return json.loads(part[place].attrs["crc32"])


def lost(name: str, place: str = A) -> Change:
    def change(part: h5py.File) -> None:
        del part[place].attrs[name]

    return change


def swapped(one: str, two: str) -> Change:
    def change(part: h5py.File) -> None:
        part.move(one, "held")
        part.move(two, one)
        part.move("held", two)

    return change


OF_ALL = "no checksums of the part"
MASKS: dict[str, Change] = {
    "person": value("person", 1, 2, 3),
    "object": value("object", 2, 0, 0),
    "frame": value("frame", 2),
    "time": value("time", 0, to=0.001),
    "boxes": value("boxes", 0, to=(7, 0, 1, 2.5, 20, 31, 0.5, 0)),
    "prompts": attribute("prompts", '["person", "red bell"]', f"{A}/boxes"),
    "record": text(b"a.mp4", b"b.mp4"),
    "height": attribute("height", 34),
    "width": attribute("width", 44),
    "packets": attribute("packets", 299),
    "id": attribute("id", "b"),
    "digest": attribute("digest", "12-ac"),
    "an attribute more": attribute("decoded_frames", 3),
    "an attribute less": lost("packets"),
    "object is gone": lambda part: part[A].pop("object"),
    "boxes are gone": lambda part: part[A].pop("boxes"),
    "something more": lambda part: part[A].create_dataset("more", data=3),
    "roles swapped": swapped(f"{A}/person", f"{A}/object"),
    "clips swapped": swapped(A, B),
    "masks of another clip": swapped(f"{A}/person", f"{B}/person"),
    "no checksums": lost("crc32"),
    OF_ALL: lost("crc32", "/"),
    "no checksums of frames": lost("crc32", f"{A}/person"),
    "other checksums": attribute("crc32", '{"attributes": 1}'),
    "other checksums of frames": attribute("crc32", np.zeros(3, "<u4"), f"{A}/person"),
    "more checksums of frames": attribute("crc32", np.zeros(5000, "<u4"), f"{A}/person"),
    "fewer checksums of frames": attribute("crc32", np.zeros(2, "<u4"), f"{A}/person"),
}  # fmt: skip
PIXELS: dict[str, Change] = {
    "rgb": value("rgb", 0, 0, 0, 0),
    "frame": value("frame", 0),
    "time": value("time", 2),
    "record": text(b"a.mp4", b"b.mp4"),
}
FEATURES: dict[str, Change] = {"features": value("features", 4), "digest": attribute("digest", "2")}
CASES = [
    *(("masks", name, change) for name, change in MASKS.items()),
    *(("pixels", name, change) for name, change in PIXELS.items()),
    *(("features", name, change) for name, change in FEATURES.items()),
]


def read_all(clip: StoredClip) -> list[Any]:
    """Everything that a reader could ask for."""
    found: list[Any] = [clip.record, clip.attrs]
    if "features" in clip.datasets:
        return [*found, clip.features]
    found += [clip.frames, clip.time, clip.boxes, clip.size]
    for place in range(len(clip.frames)):
        roles = ("person", "object") if clip.kind.field == "masks" else ()
        found += [clip.mask(role, place) for role in roles] or [clip.rgb(place)]
    return found


@pytest.mark.parametrize(
    ("kind", "change"), [(k, c) for k, _, c in CASES], ids=[f"{k}: {n}" for k, n, _ in CASES]
)
def test_what_was_changed_is_noticed(kind: str, change: Change, stores: Path) -> None:
    """By readers and by check, which is told which clip it is; the other one is as it was."""
    path = stores / kind / PART
    with h5py.File(path, "r+", libver=("v110", "v110")) as part:
        change(part)
    with pytest.raises(DamagedError, match=CHANGED) as error:
        read_all(Stores().clip(f"{path}::{A}"))
    assert str(error.value).startswith(f"{path}::{A}") and "\n" not in str(error.value)
    told = list(check_store(str(stores / kind)))
    assert any(line.startswith(f"{path}::{A}") and CHANGED in line for line in told), told
    if change not in map(MASKS.get, ("clips swapped", "masks of another clip", OF_ALL)):
        assert len(told) == 1
        read_all(Stores().clip(f"{path}::{B}"))


def motion(part: h5py.File) -> None:
    """Made by another back end, it says."""
    told = part.attrs["made"].replace(b"grabcut", b"motion ")
    assert told != part.attrs["made"]
    part.attrs["made"] = np.bytes_(told)


ROOT: dict[str, Change] = {
    "index": text(b'"a.mp4"', b'"c.mp4"', "index"),
    "made": motion,
    "checksums": attribute("crc32", '{"index": 1, "made": 2}', "/"),
    "what is no checksum": attribute("crc32", '{"index": "1"}', "/"),
}


@pytest.mark.parametrize("change", ROOT)
def test_a_changed_index_or_origin_is_noticed(change: str, stores: Path) -> None:
    """The same command does not print records that were changed as its own."""
    path = stores / "masks" / PART
    with h5py.File(path, "r+") as part:
        ROOT[change](part)
    words = "attribute crc32 is damaged" if change == "what is no checksum" else CHANGED
    with pytest.raises(DamagedError, match=words) as error:
        make(stores / "masks", ["a", "b"])
    assert str(error.value).count("delete that file") == 1
    assert any(words in line for line in check_store(str(stores / "masks")))


@pytest.mark.parametrize("which", ["no", "more", "fewer"])
def test_checksums_of_another_shape_are_not_read(which: str, stores: Path) -> None:
    """HDF5 would write behind the memory that there is for them."""
    path = stores / "masks" / PART
    with h5py.File(path, "r+", libver=("v110", "v110")) as part:
        MASKS[f"{which} checksums of frames"](part)
    with pytest.raises(DamagedError, match=f"{A}/person: attribute crc32 was changed since"):
        Stores().clip(f"{path}::{A}").mask("person", 0)


def test_a_frame_is_checked_alone(stores: Path) -> None:
    path = stores / "masks" / PART
    with h5py.File(path, "r+") as part:
        value("person", 1, 2, 3)(part)
    clip = Stores().clip(f"{path}::{A}")
    for place in (0, 2):
        assert (clip.mask("person", place) == images("a")["person"][place]).all()
    with pytest.raises(DamagedError, match=f"{A}/person: frame 1 was changed since"):
        clip.mask("person", 1)


@pytest.mark.parametrize("kind", ["masks", "pixels", "features"])
def test_a_store_of_an_earlier_version_has_none_and_is_read(kind: str, stores: Path) -> None:
    old, whole = stores / kind, digest(str(stores / kind))
    with h5py.File(old / PART, "r+") as part:
        unsealed(part)
    assert list(check_store(str(old))) == [] and digest(str(old)) == whole
    assert len(read_all(Stores().clip(f"{old}/{PART}::{A}"))) >= 3
    if kind != "features":
        make(old, ["a", "b", "c"], kind)
        make(stores / "new", ["a", "b", "c"], kind)
        assert list(check_store(str(old))) == [] and len(parts(old)) == 2
        assert digest(str(old)) == digest(str(stores / "new"))


def test_they_are_what_the_manual_says(stores: Path) -> None:
    """CRC-32 of zlib, worked out with h5py alone."""
    with h5py.File(stores / "masks" / PART) as part:
        clip = part[A]
        for name in ("person", "object"):
            each = [zlib.crc32(frame.tobytes()) for frame in clip[name][()]]
            assert clip[name].attrs["crc32"].tolist() == each
            own = zlib.crc32(np.array(each, "<u4").tobytes())
            assert sums(part, A).pop(name) == own
        for name in ("frame", "time", "record"):
            assert sums(part, A)[name] == zlib.crc32(clip[name][()].tobytes())
        boxes = clip["boxes"][()].tobytes() + clip["boxes"].attrs["prompts"]
        assert sums(part, A)["boxes"] == zlib.crc32(boxes)
        attrs = {"digest": "12-ab", "height": 33, "id": "a", "packets": 300, "width": 45}
        assert sums(part, A)["attributes"] == zlib.crc32(json.dumps(["a", attrs]).encode())
        assert sums(part, A).keys() == {*clip, "attributes"}
        made, index = part.attrs["made"], part["index"][()].tobytes()
        assert sums(part, "/") == {"index": zlib.crc32(index), "made": zlib.crc32(made)}


@pytest.mark.parametrize("pieces", [1, 3])
def test_clips_of_many_frames_have_them_too(tmp_path: Path, pieces: int) -> None:
    """More than an object header of HDF5 holds, 64 KiB."""
    count = 17_000
    person = (np.arange(count)[:, None, None] >> np.arange(16) & 1).astype(np.bool_)
    attrs = {"height": 1, "width": 16, "digest": "1-a"}
    arrays = {"frame": np.arange(count), "time": np.arange(count) / 25}
    cut = np.array_split(person, pieces)
    with StoreWriter(str(tmp_path), "masks", {}, {}) as writer:
        if pieces == 1:
            writer.add({"id": "a"}, attrs, {**arrays, "person": person})
        else:
            writer.add({"id": "a"}, attrs, arrays, chunks=({"person": piece} for piece in cut))
        writer.close()
    with h5py.File(tmp_path / PART, "r+") as part:
        assert part[f"{A}/person"].attrs["crc32"].nbytes > 1 << 16
        part[f"{A}/person"][16_500, 0, 0] ^= 1
    clip = Stores().clip(f"{tmp_path / PART}::{A}")
    assert (clip.mask("person", 16_999) == person[16_999]).all()
    with pytest.raises(DamagedError, match="frame 16500 was changed"):
        clip.mask("person", 16_500)
