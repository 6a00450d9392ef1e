from __future__ import annotations

import io
import itertools
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from stored import BOXES, WHAT, add, attrs_of, images, make, parts

from sbtools.errors import ClipError, DamagedError, RecordError
from sbtools.records import dump, id_of, read
from sbtools.store import Stores, StoreWriter, check_store, digest

IDS = [
    "juggle/g23_c01",
    "wave",
    "wave/person",
    "\U0001f480\n",
    "a%2Fb",
    ".",
    "x" * 255,
    "\udcff.mp4",
]
halves = st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"])
texts = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]) | halves,
    min_size=1,
    max_size=80,
)


@pytest.mark.parametrize("kind", ["masks", "pixels"])
def test_what_is_stored_comes_back(tmp_path: Path, kind: str) -> None:
    found = make(tmp_path / "s", IDS, kind, part_clips=3)
    assert [record["id"] for record in found] == IDS
    assert len(parts(tmp_path / "s")) == 3
    stores = Stores()
    for record in read(io.BytesIO(b"".join(map(dump, found))), "x"):
        clip, wanted = stores.clip(record[kind]), images(record["id"])
        assert clip.record == record
        assert clip.attrs == {**attrs_of(wanted), "id": record["id"]}
        assert (clip.height, clip.width) == (33, 45)
        assert (clip.frames == wanted["frame"]).all()
        assert (clip.time == wanted["time"]).all()
        assert clip.boxes == (BOXES if kind == "masks" else [])
        for place in range(3):
            for name in clip.kind.images:
                seen = clip.rgb(place) if name == "rgb" else clip.mask(name, place)
                assert seen.dtype == wanted[name].dtype
                assert (seen == wanted[name][place]).all()
    assert list(check_store(str(tmp_path / "s"))) == []


def test_any_hdf5_tool_reads_it(tmp_path: Path) -> None:
    make(tmp_path, IDS[:2])
    wanted = images(IDS[0])
    with h5py.File(tmp_path / "000of001-00000.h5", "r") as part:
        assert part.attrs["format"] == b"sbtools-masks"
        assert part.attrs["version"] == part.attrs["complete"] == 1
        made = json.loads(part.attrs["made"])
        assert made["what"] == WHAT
        assert made["run"]["command"] == "test"
        assert made["run"]["shard"] == "0/1"
        group = part["clips/juggle%2Fg23_c01"]
        texts = {"id": IDS[0].encode(), "digest": b"12-ab"}
        texts["crc32"] = group.attrs["crc32"]
        assert dict(group.attrs) == {**attrs_of(wanted), **texts}
        assert (group["person"][()] == np.packbits(wanted["person"], axis=-1)).all()
        assert group["frame"].dtype == np.int64
        assert group["boxes"]["x1"].tolist() == [20, 20]
        assert json.loads(group["record"][()].tobytes())["video"] == f"{IDS[0]}.mp4"
        for data in group.values():
            assert data.fletcher32
            assert not data.external and not data.is_virtual
        assert group["person"].chunks == (1, 33, 6)
        assert group["person"].compression == "gzip"
    with open(tmp_path / "made.json", encoding="ascii") as file:
        assert json.load(file) == {"format": "sbtools-masks", "version": 1, "what": WHAT}


@pytest.mark.parametrize("level", [None, 1])
def test_pixels_are_raw_unless_asked(tmp_path: Path, level: int | None) -> None:
    make(tmp_path, ["a"], "pixels", compress=level)
    with h5py.File(tmp_path / parts(tmp_path)[0], "r") as part:
        assert part["clips/a/rgb"].compression_opts == level
        assert part["clips/a/rgb"].chunks == (1, 33, 45, 3)


def test_features_are_stored_too(tmp_path: Path) -> None:
    values = np.linspace(-1, 1, 7, dtype=np.float32)
    with StoreWriter(str(tmp_path), "features", {}, {}) as writer:
        writer.add({"id": "a"}, {}, {"features": values})
        [record] = writer.close()
    assert (Stores().clip(record["features"]).features == values).all()
    assert list(check_store(str(tmp_path))) == []


def test_features_of_frames_are_stored_too(tmp_path: Path) -> None:
    values = np.linspace(-1, 1, 14, dtype=np.float32).reshape(2, 7)
    with StoreWriter(str(tmp_path), "features", {}, {}) as writer:
        writer.add({"id": "a"}, {}, {"features": values})
        [record] = writer.close()
    np.testing.assert_array_equal(Stores().clip(record["features"]).features, values)
    assert list(check_store(str(tmp_path))) == []
    with h5py.File(tmp_path / parts(tmp_path)[0], "r+") as part:
        part["clips/a/features"][1, 3] = 4
    assert "features" in "".join(check_store(str(tmp_path)))


@pytest.mark.parametrize("shape", [(1 << 14, 1 << 11), (2, 3, 4), (0, 4)])
def test_features_of_another_shape_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with StoreWriter(str(tmp_path), "features", {}, {}) as writer:
        writer.add({"id": "a"}, {}, {"features": np.zeros(3, np.float32)})
        [record] = writer.close()
    with h5py.File(tmp_path / parts(tmp_path)[0], "r+") as part:
        del part["clips/a/features"]
        chunks = shape if np.prod(shape) else None
        part["clips/a"].create_dataset("features", shape, "<f4", chunks=chunks)
    with pytest.raises(DamagedError, match="features"):
        _ = Stores().clip(record["features"]).features


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(id=texts, height=st.integers(1, 70), width=st.integers(1, 70), count=st.integers(1, 4))
@example(id="a", height=47, width=63, count=1)
@example(id="\udcff" * 255, height=1, width=9, count=2)
@example(id="/" * 4096, height=2, width=2, count=1)
def test_any_id_and_any_size_come_back(
    tmp_path: Path, id: str, height: int, width: int, count: int
) -> None:
    wanted = np.random.default_rng(0).random((count, height, width)) < 0.5
    arrays = {"frame": np.arange(count), "time": np.zeros(count), "person": wanted}
    with StoreWriter(str(tmp_path), "masks", WHAT, {}, overwrite=True) as writer:
        record = {"id": id}
        assert writer.add(record, {"height": height, "width": width}, arrays) == []
        assert writer.close() == [record]
    clip = Stores().clip(record["masks"])
    assert id_of(clip.key) == clip.record["id"] == clip.attrs["id"] == id
    assert (np.stack([clip.mask("person", place) for place in range(count)]) == wanted).all()
    assert not clip.mask("object", 0).any()
    assert list(check_store(str(tmp_path))) == []


def pieces(arrays: dict[str, Any], *cuts: int) -> list[dict[str, Any]]:
    edges = [0, *cuts, len(arrays["frame"])]
    return [
        {name: values[begin:end] for name, values in arrays.items()}
        for begin, end in itertools.pairwise(edges)
    ]


def test_how_a_clip_arrives_makes_no_difference(tmp_path: Path) -> None:
    arrays = {name: values for name, values in images("a", 6).items() if name != "rgb"}
    packed = {**arrays, "person": np.packbits(arrays["person"], axis=-1)}
    still = {name: arrays[name] for name in ("frame", "time")}
    lazy = {name: iter([arrays[name][:4], arrays[name][4:]]) for name in ("person", "object")}
    ways: list[tuple[dict[str, Any], Any]] = [
        (arrays, ()),
        (packed, ()),
        ({}, pieces(arrays, 1, 5)),
        ({}, iter(pieces(packed, 2))),
        ({**still, **lazy}, ()),
    ]
    seen = set()
    for number, (whole, chunks) in enumerate(ways):
        folder = str(tmp_path / f"s{number}")
        with StoreWriter(folder, "masks", WHAT, {}) as writer:
            writer.add({"id": "a"}, attrs_of(arrays), whole, BOXES, chunks)
            [record] = writer.close()
        clip = Stores().clip(record["masks"])
        assert (clip.mask("object", 5) == arrays["object"][5]).all()
        assert list(check_store(folder)) == []
        seen.add(digest(folder))
    assert len(seen) == 1


def test_what_makes_the_pieces_may_complete_the_record(tmp_path: Path) -> None:
    arrays = images("a")
    record: dict[str, Any] = {"id": "a"}
    attrs = attrs_of(arrays)
    boxes: list[dict[str, Any]] = []

    def decode() -> Any:
        yield {name: arrays[name] for name in ("frame", "time", "person")}
        record["frames"] = attrs["decoded_frames"] = 75
        boxes.extend(BOXES)

    with StoreWriter(str(tmp_path), "masks", WHAT, {}) as writer:
        writer.add(record, attrs, {}, boxes, decode())
        [found] = writer.close()
    clip = Stores().clip(found["masks"])
    assert clip.record["frames"] == clip.attrs["decoded_frames"] == 75
    assert clip.boxes == BOXES


def test_a_clip_that_fails_half_way_leaves_no_trace(tmp_path: Path) -> None:
    large = {"count": 40, "height": 64, "width": 64}

    def breaks(id: str) -> Any:
        arrays = images(id, **large)
        yield {name: arrays[name] for name in ("frame", "time", "rgb")}
        raise ClipError("truncated", "frame 41 does not decode")

    sizes = []
    for failures in (0, 5):
        folder = str(tmp_path / f"s{failures}")
        with StoreWriter(folder, "pixels", WHAT, {}) as writer:
            add(writer, "a", **large)
            for number in range(failures):
                record = {"id": f"bad{number}"}
                with pytest.raises(ClipError, match="frame 41"):
                    writer.add(record, attrs_of(images("", **large)), {}, None, breaks("bad"))
                assert record == {"id": f"bad{number}"}
                writer.pass_on(record)
            add(writer, "b", **large)
            assert [record["id"] for record in writer.close()][:: failures + 1] == ["a", "b"]
        assert list(check_store(folder)) == []
        sizes.append(
            (digest(folder), (tmp_path / f"s{failures}" / parts(folder)[0]).stat().st_size)
        )
    assert sizes[0][0] == sizes[1][0]
    assert sizes[1][1] < 1.1 * sizes[0][1]


@pytest.mark.parametrize(
    ("changed", "kind", "words"),
    [
        (
            {"person": np.zeros((3, 33, 44), np.bool_)},
            "mismatch",
            "person is 33x44, frame is 33x45",
        ),
        ({"person": np.zeros((3, 33, 45), np.uint8)}, "mismatch", "person is 33x45, frame is 33x6"),
        ({"person": np.zeros((2, 33, 45), np.bool_)}, "mismatch", "2 of person, 3 of frame"),
        ({"time": np.zeros(2)}, "mismatch", "3 of frame, 2 of time"),
        (
            {"frame": [], "time": [], "person": np.zeros((0, 33, 45), np.bool_)},
            "truncated",
            "no frame to store",
        ),
    ],
)
def test_arrays_that_disagree_fail_the_clip(
    tmp_path: Path, changed: dict[str, Any], kind: str, words: str
) -> None:
    arrays = {name: images("a")[name] for name in ("frame", "time", "person")}
    with StoreWriter(str(tmp_path), "masks", WHAT, {}) as writer:
        with pytest.raises(ClipError, match=words) as error:
            writer.add({"id": "a"}, attrs_of(images("a")), {**arrays, **changed})
        assert error.value.kind == kind
        assert writer.close() == []
    assert parts(tmp_path) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"frame": np.array([0, 7, 7])}, "do not ascend"),
        ({"frame": np.array([-1, 7, 8])}, "do not ascend"),
        ({"person": np.zeros((3, 33, 6), np.int32)}, "int32, not uint8"),
        ({"colour": np.zeros(3)}, "colour has no place"),
        ({"time": None}, "no time"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused(
    tmp_path: Path, changed: dict[str, Any], words: str
) -> None:
    arrays = {name: images("a")[name] for name in ("frame", "time", "person")} | changed
    arrays = {name: values for name, values in arrays.items() if values is not None}
    with (
        StoreWriter(str(tmp_path), "masks", WHAT, {}) as writer,
        pytest.raises(ValueError, match=words),
    ):
        writer.add({"id": "a"}, attrs_of(images("a")), arrays)


def test_an_id_is_stored_once_a_run(tmp_path: Path) -> None:
    with StoreWriter(str(tmp_path), "masks", WHAT, {}) as writer:
        add(writer, "a")
        with pytest.raises(RecordError, match="'a' was already stored"):
            add(writer, "a")
        assert len(writer.close()) == 1


def test_addresses_begin_at_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    [record] = make("m::x", ["a b"])
    assert record["masks"] == "m::x/000of001-00000.h5::clips/a%20b"
    [inside] = make(tmp_path / "data" / "m", ["a b"], root=str(tmp_path / "data"))
    assert inside["masks"] == record["masks"].replace("m::x", "m")
    assert Stores().clip(record["masks"]).record == record
    assert Stores(str(tmp_path / "data")).clip(inside["masks"]).record == inside
    with pytest.raises(ClipError, match=f"{tmp_path}/data/m::x/.* --root") as error:
        Stores(str(tmp_path / "data")).clip(record["masks"])
    assert error.value.kind == "missing"


def test_long_prompts_and_many_boxes_come_back(tmp_path: Path) -> None:
    arrays = {name: images("a")[name] for name in ("frame", "time", "person")}
    boxes = [{**BOXES[0], "prompt": f"{number:0200d}"} for number in range(500)]
    with StoreWriter(str(tmp_path), "masks", WHAT, {}) as writer:
        writer.add({"id": "a"}, attrs_of(images("a")), arrays, boxes)
        [record] = writer.close()
    assert Stores().clip(record["masks"]).boxes == boxes


def test_what_was_read_takes_no_memory(tmp_path: Path) -> None:
    """Few parts, and few clips of each, stay open; HDF5 keeps none of their frames."""
    records = make(tmp_path / "s", [f"c{number}" for number in range(60)], part_clips=20)
    stores = Stores(str(tmp_path), max_open=2)
    for record in records:
        clip = stores.clip(record["masks"])
        assert clip.mask("person", 2).any() and clip.boxes
    assert len(stores._parts) == 2
    for part in stores._parts.values():
        assert 0 < h5py.h5f.get_obj_count(part.id, h5py.h5f.OBJ_DATASET) < 60
        assert part.id.get_access_plist().get_cache()[1:3] == (0, 0)
