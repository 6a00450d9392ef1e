from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from stored import images, make, parts, unsealed

from sbtools.errors import ClipError, DamagedError
from sbtools.store import StoredClip, Stores, check_store

CANARY = b"canary" * 100


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    make(folder, ["a", "b"])
    with h5py.File(folder / "000of001-00000.h5", "r+") as part:
        unsealed(part)
    return folder


@pytest.fixture
def store(tmp_path: Path, whole: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "s"))


def address(store: Path, key: str = "a") -> str:
    return f"{store}/000of001-00000.h5::clips/{key}"


def read_all(clip: StoredClip) -> list[Any]:
    """Everything that a reader could ask for."""
    found = [clip.attrs, clip.record, clip.frames, clip.time, clip.boxes, clip.size]
    for place in range(len(clip.frames)):
        found += [clip.mask("person", place), clip.mask("object", place)]
    return found


def refused(store: Path, hurt: Callable[[h5py.File], None], words: str) -> None:
    """The clip cannot be read, the reason is said, and check says it too; its neighbour is fine."""
    with h5py.File(store / "000of001-00000.h5", "r+", libver=("v110", "v110")) as part:
        hurt(part)
    with pytest.raises(DamagedError, match=words) as error:
        read_all(Stores().clip(address(store)))
    assert str(store) in str(error.value)
    assert "\n" not in str(error.value)
    found = list(check_store(str(store)))
    assert [line for line in found if address(store) in line or str(error.value) in line]
    read_all(Stores().clip(address(store, "b")))


def replace(name: str, **options: Any) -> Callable[[h5py.File], None]:
    """Put another dataset in the place of one of clip a."""

    def hurt(part: h5py.File) -> None:
        del part[f"clips/a/{name}"]
        part["clips/a"].create_dataset(name, **options)

    return hurt


def link(name: str, target: Any) -> Callable[[h5py.File], None]:
    def hurt(part: h5py.File) -> None:
        del part[name]
        part[name] = target

    return hurt


@pytest.mark.parametrize("name", ["clips/a", "clips/a/person", "clips/a/record", "clips/a/frame"])
@pytest.mark.parametrize("path", ["other.h5", "../other.h5", "{up}/other.h5"])
def test_external_links_are_refused(store: Path, name: str, path: str) -> None:
    shutil.copy(store / "000of001-00000.h5", store.parent / "other.h5")
    shutil.copy(store / "000of001-00000.h5", store / "other.h5")
    target = h5py.ExternalLink(path.format(up=store.parent), f"/{name}")
    refused(store, link(name, target), "is a link to elsewhere, refused")


def test_soft_links_are_refused(store: Path) -> None:
    refused(store, link("clips/a/person", h5py.SoftLink("/clips/b/person")), "a link to elsewhere")


def test_a_link_to_itself_is_refused(store: Path) -> None:
    refused(store, link("clips/a", h5py.SoftLink("/clips/a")), "a link to elsewhere")


def test_a_group_of_external_clips_is_refused(store: Path) -> None:
    shutil.copy(store / "000of001-00000.h5", store / "other.h5")
    with h5py.File(store / "000of001-00000.h5", "r+") as part:
        link("clips", h5py.ExternalLink("other.h5", "/clips"))(part)
    with pytest.raises(DamagedError, match="clips is a link to elsewhere"):
        Stores().clip(address(store))


def test_a_loop_of_hard_links_ends(store: Path) -> None:
    refused(store, lambda part: link("clips/a", part["/"])(part), "no record")


def test_a_virtual_dataset_is_refused(store: Path) -> None:
    layout = h5py.VirtualLayout((3, 33, 6), np.uint8)
    layout[...] = h5py.VirtualSource(str(store / "000of001-00000.h5"), "clips/b/person", (3, 33, 6))

    def hurt(part: h5py.File) -> None:
        del part["clips/a/person"]
        part["clips/a"].create_virtual_dataset("person", layout)

    refused(store, hurt, "person has its data in another file, refused")


@pytest.mark.parametrize(("name", "dtype"), [("record", "u1"), ("frame", "<i8"), ("time", "<f8")])
def test_raw_data_in_another_file_is_refused(store: Path, name: str, dtype: str) -> None:
    canary = store.parent / "canary"
    canary.write_bytes(CANARY)
    outside = {"external": [(str(canary), 0, 16)], "shape": (16 // np.dtype(dtype).itemsize,)}
    hurt = replace(name, dtype=dtype, **outside)
    refused(store, hurt, f"{name} has its data in another file, refused")
    assert canary.read_bytes() == CANARY


TEXT = h5py.string_dtype()


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("record", {"data": ["x"], "dtype": TEXT, "chunks": (1,)}, "is not of type uint8"),
        ("record", {"data": np.zeros(4, "u1")}, "is not stored in chunks"),
        ("record", {"data": np.zeros(4, "u1"), "chunks": (4,)}, "not JSON|in the middle"),
        ("record", {"data": np.zeros((2, 2), "u1"), "chunks": (1, 2)}, "rank 2, not 1"),
        ("record", {"data": np.uint8(3)}, "has rank 0, not 1"),
        ("record", {"data": h5py.Empty("u1")}, "has no shape"),
        ("record", {"shape": (1 << 40,), "dtype": "u1", "chunks": (1 << 20,)}, "has chunks of"),
        ("frame", {"data": np.zeros(3, ">i8"), "chunks": (3,)}, "is not of type int64"),
        ("frame", {"data": np.zeros(3, "<i4"), "chunks": (3,)}, "is not of type int64"),
        ("frame", {"data": np.zeros(3, "<i8"), "chunks": (3,)}, "does not ascend"),
        ("frame", {"data": np.zeros(0, "<i8")}, "does not ascend"),
        (
            "frame",
            {"data": np.array([0, 7]), "chunks": (2,)},
            r"shape \(3, 33, 6\), not \(2, 33, 6\)",
        ),
        ("time", {"data": np.zeros(3, "<f4"), "chunks": (3,)}, "is not of type float64"),
        ("person", {"shape": (3, 33, 6), "dtype": bool, "chunks": (1, 33, 6)}, "not of type uint8"),
        ("person", {"data": np.zeros((3, 33, 6), "u1"), "chunks": (3, 33, 6)}, "has chunks of"),
        ("person", {"data": np.zeros((3, 33, 6), "u1")}, "is not stored in chunks"),
        ("person", {"shape": (3, 33, 7), "dtype": "u1", "chunks": (1, 33, 7)}, "has shape"),
        ("person", {"shape": (1,) * 32, "dtype": "u1", "chunks": (1,) * 32}, "has rank 32, not 3"),
        (
            "person",
            {"shape": (3, 33, 6), "dtype": "u1", "chunks": (1, 33, 6), "scaleoffset": 0},
            "needs filter 6, refused",
        ),
        (
            "person",
            {"shape": (3, 33, 6), "dtype": "u1", "chunks": (1, 33, 6), "compression": "lzf"},
            "needs filter 32000, refused",
        ),
        ("boxes", {"data": np.zeros(3, "u1"), "chunks": (3,)}, "is not of type"),
        (
            "boxes",
            {"shape": 2, "dtype": [("frame", "<i8"), ("role", TEXT)], "chunks": (2,)},
            "is not of type",
        ),
    ],
)
def test_a_dataset_that_is_not_as_we_write_it_is_refused(
    store: Path, name: str, options: dict[str, Any], words: str
) -> None:
    refused(store, replace(name, **options), words)


def test_a_group_or_a_type_in_the_place_of_a_dataset_is_refused(store: Path) -> None:
    refused(store, lambda part: link("clips/a/person", part["clips/b"])(part), "not a dataset")


def test_a_dataset_in_the_place_of_a_clip_is_refused(store: Path) -> None:
    refused(store, lambda part: link("clips/a", part["clips/b/frame"])(part), "not a group")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("height", "tall", "height 'tall'"),
        ("height", 0, "height 0"),
        ("width", -1, "width -1"),
        ("width", 1 << 40, "are refused"),
        ("height", np.arange(3), "attribute height is not a scalar"),
        ("height", np.zeros(300_000), "attribute height is not a scalar"),
        ("digest", np.array("x", TEXT), "attribute digest is neither"),
        ("digest", h5py.Reference(), "attribute digest is neither"),
    ],
    ids=str,
)
def test_an_attribute_that_is_not_as_we_write_it_is_refused(
    store: Path, name: str, value: Any, words: str
) -> None:
    def hurt(part: h5py.File) -> None:
        del part["clips/a"].attrs[name]
        if isinstance(value, str):
            value_ = np.bytes_(value)
            part["clips/a"].attrs[name] = value_
        else:
            part["clips/a"].attrs[name] = value

    refused(store, hurt, words)


def test_too_many_attributes_are_refused(store: Path) -> None:
    def hurt(part: h5py.File) -> None:
        for number in range(100):
            part["clips/a"].attrs[f"x{number}"] = number

    refused(store, hurt, "has 10. attributes")


def test_a_mask_that_was_never_written_is_found_by_check(store: Path) -> None:
    options = {"shape": (3, 33, 6), "dtype": "u1", "chunks": (1, 33, 6), "fletcher32": True}
    with h5py.File(store / "000of001-00000.h5", "r+") as part:
        replace("person", **options)(part)
    [problem, *_] = check_store(str(store))
    assert "person has 0 frames of 3" in problem


def bomb(path: Path) -> None:
    """Two kilobytes that declare 35 TB, and 100 MB that shrink to nothing."""
    with h5py.File(path, "r+", libver=("v110", "v110")) as part:
        sides = 1 << 16
        part["clips/a"].attrs["height"] = part["clips/a"].attrs["width"] = sides
        replace("person", shape=(8192, sides, sides // 8), dtype="u1", chunks=(1, sides, 8))(part)
        replace("frame", shape=(1 << 42,), dtype="<i8", chunks=(1 << 20,))(part)
        big = part["clips/b"]
        del big["record"]
        zeros = np.zeros(300 << 20, "u1")
        big.create_dataset("record", data=zeros, chunks=(300 << 20,), compression=9)


def test_bombs_are_refused_before_memory_is_taken(store: Path) -> None:
    bomb(store / "000of001-00000.h5")
    code = (
        "import sys\n"
        "from sbtools.store import Stores, check_store\n"
        "from sbtools.errors import DamagedError\n"
        "for key in 'ab':\n"
        "    clip = Stores().clip(f'{sys.argv[1]}/000of001-00000.h5::clips/{key}')\n"
        "    for name in ('record', 'frames', 'size'):\n"
        "        try: getattr(clip, name)\n"
        "        except DamagedError as error: sys.stderr.write(f'{error}\\n')\n"
        "assert len(list(check_store(sys.argv[1]))) == 2\n"
        "peak = open('/proc/self/status').read().split('VmHWM:')[1].split()[0]\n"
        "sys.exit(int(peak) > 300 << 10)"
    )
    command = [sys.executable, "-c", code, str(store)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert len(run.stderr.splitlines()) == 3


@pytest.mark.parametrize("cut", [0, 1, 7, 100, 1000, 5000, -1, -100, -2000])
def test_a_part_cut_anywhere_does_not_open(store: Path, cut: int) -> None:
    path = store / "000of001-00000.h5"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DamagedError, match=f"^{path} does not open: "):
        Stores().clip(address(store))
    assert len(list(check_store(str(store)))) == 1


def test_a_part_without_its_last_word_is_refused(store: Path) -> None:
    with h5py.File(store / "000of001-00000.h5", "r+") as part:
        part.attrs.modify("complete", 0)
    with pytest.raises(DamagedError, match="is not complete"):
        Stores().clip(address(store))


def test_hdf5_of_somebody_else_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["clips/a"] = 3
    with pytest.raises(DamagedError, match="format"):
        Stores().clip(f"{tmp_path}/x.h5::clips/a")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{store}/000of001-00000.h5::clips/c", "no c"),
        ("{store}/000of001-00000.h5::clips/a/person", "not a clip's key"),
        ("{store}/000of001-00000.h5::clips/..", "no .."),
        ("{store}/000of001-00000.h5::clips/.", "not a clip|no .|link"),
        ("{store}/000of001-00000.h5::clips/\u00e9", "not a clip's key"),
        ("{store}/000of001-00000.h5", "is not an address"),
        ("::clips/a", "is not an address"),
        ("{store}::clips/a", "is not a regular file"),
        ("{store}/pipe::clips/a", "is not a regular file"),
        ("/dev/zero::clips/a", "is not a regular file"),
        ("{store}/\0::clips/a", "null"),
        ("{store}/" + 300 * "x" + "::clips/a", "too long"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused(store: Path, text: str, words: str) -> None:
    os.mkfifo(store / "pipe")
    with pytest.raises(DamagedError, match=words):
        Stores().clip(text.format(store=store))


@pytest.mark.parametrize("name", ["none.h5", "made.json/none.h5"])
def test_a_part_that_is_missing_is_named_with_root(store: Path, name: str) -> None:
    with pytest.raises(ClipError, match=f"{store}/{name} does not exist: --root") as error:
        Stores(str(store)).clip(f"{name}::clips/a")
    assert error.value.kind == "missing"


def test_sixty_four_files_are_enough(tmp_path: Path) -> None:
    found = make(tmp_path, [f"clip{number}" for number in range(90)], part_clips=1)
    assert len(parts(tmp_path)) == 90
    code = (
        "import resource, sys\n"
        "from sbtools.store import Stores, check_store, digest\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "stores = Stores()\n"
        "clips = [stores.clip(line.strip()) for line in sys.stdin]\n"
        "for clip in clips * 2: clip.mask('person', 2), clip.boxes, clip.record\n"
        "assert not list(check_store(sys.argv[1])) and digest(sys.argv[1])"
    )
    text = "\n".join(record["masks"] for record in found)
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], input=text, text=True, check=True)


def test_stores_work_in_forked_and_spawned_processes(store: Path) -> None:
    code = (
        "import os, pickle, sys\n"
        "from sbtools.store import Stores\n"
        "stores = Stores(max_open=1)\n"
        "clip = stores.clip(sys.argv[1])\n"
        "seen = clip.mask('person', 1)\n"
        "child = os.fork()\n"
        "same = (clip.mask('person', 1) == seen).all() and clip.frames[1] == 7\n"
        "if not child: os._exit(not same)\n"
        "stores.close()\n"
        "assert os.waitpid(child, 0)[1] == 0 and (clip.mask('person', 1) == seen).all()"
    )
    subprocess.run([sys.executable, "-c", code, address(store)], check=True)
    stores = Stores(max_open=3)
    clip = stores.clip(address(store))
    copy = pickle.loads(pickle.dumps(clip))
    assert (copy.mask("person", 1) == images("a")["person"][1]).all()


def test_a_frame_that_is_not_there_is_an_index_error(store: Path) -> None:
    clip = Stores().clip(address(store))
    for place in (-1, 3):
        with pytest.raises(IndexError, match=f"frame {place} of 3"):
            clip.mask("person", place)
    with pytest.raises(ValueError, match="role 'dog'"):
        clip.mask("dog", 0)


def test_reading_changes_nothing(store: Path) -> None:
    path = store / "000of001-00000.h5"
    before = path.read_bytes(), path.stat().st_mtime_ns
    path.chmod(0o444)
    read_all(Stores().clip(address(store)))
    assert list(check_store(str(store))) == []
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_a_made_json_that_is_a_pipe_is_named_without_waiting(store: Path) -> None:
    (store / "made.json").unlink()
    os.mkfifo(store / "made.json")
    [problem] = check_store(str(store))
    assert "made.json: not a regular file" in problem
