"""A value of a store of scores that HDF5 itself has set, checksum and all, does not go unseen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from sbtools.errors import DamagedError
from sbtools.store import check_store, digest, read_rows
from tests.cli.running import sbtools
from tests.evaluate.made import ids, store

PART = "000of001-00000.h5"


def value(name: str) -> Callable[[h5py.File], None]:
    def change(part: h5py.File) -> None:
        data = part[name]
        data[(3,) + (1,) * (data.ndim - 1)] = 0.125

    return change


def swapped(part: h5py.File) -> None:
    for name in ("scores", "covered", "area"):
        if name in part["views/bg"]:
            part["views/plain"].move(name, "held") if name in part["views/plain"] else None
            part.move(f"views/bg/{name}", f"views/plain/{name}")
            if "views/plain/held" in part:
                part.move("views/plain/held", f"views/bg/{name}")


def renamed(part: h5py.File) -> None:
    text = part.attrs["made"].replace(b'["run", "jump"', b'["jump", "run"')
    assert text != part.attrs["made"]
    part.attrs.create("made", np.array(text, f"S{len(text)}"))


def relabelled(part: h5py.File) -> None:
    lines = part["index"][()].tobytes().splitlines(keepends=True)
    lines[0], lines[1] = lines[1], lines[0]
    part["index"][...] = np.frombuffer(b"".join(lines), "u1")


def lost(part: h5py.File) -> None:
    del part["views/bg/area"]


CHANGES = {
    "scores": value("views/bg/scores"),
    "covered": value("views/bg/covered"),
    "area": value("views/bg/area"),
    "views": swapped,
    "classes": renamed,
    "index": relabelled,
    "lost": lost,
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_is_noticed(change: str, tmp_path: Path) -> None:
    store(tmp_path / "s", ids(6))
    with h5py.File(tmp_path / "s" / PART, "r+") as part:
        CHANGES[change](part)
    with pytest.raises(DamagedError, match=r"was changed since it was written|is not made from"):
        list(read_rows(str(tmp_path / "s")))
    found = list(check_store(str(tmp_path / "s")))
    assert any(f"{PART} was changed since it was written" in line for line in found), found


def test_a_store_of_an_earlier_version_has_none_and_is_read(tmp_path: Path) -> None:
    for name in ("old", "new"):
        store(tmp_path / name, ids(6))
    with h5py.File(tmp_path / "old" / PART, "r+") as part:
        assert len(part.attrs["digest"]) == 64
        del part.attrs["digest"]
    assert list(check_store(str(tmp_path / "old"))) == []
    assert digest(str(tmp_path / "old")) == digest(str(tmp_path / "new"))
    store(tmp_path / "old", ids(9))
    store(tmp_path / "new", ids(9))
    assert digest(str(tmp_path / "old")) == digest(str(tmp_path / "new"))


def test_a_user_is_told(tmp_path: Path) -> None:
    store(tmp_path / "s", ids(6))
    words = ["eval", "-q", "--from-scores", "s", "-o"]
    assert sbtools(*words, "clean.json", cwd=tmp_path).returncode == 0
    with h5py.File(tmp_path / "s" / PART, "r+") as part:
        part["views/plain/scores"][2] = [9, 0, 0]
    for told in (
        sbtools("check", "s", cwd=tmp_path),
        sbtools(*words, "changed.json", cwd=tmp_path),
    ):
        assert told.returncode == 5 and told.stderr.count(b"\n") == 1
        assert b"was changed since it was written" in told.stderr
    assert not (tmp_path / "changed.json").exists()
    assert json.loads((tmp_path / "clean.json").read_bytes())["clips"]["used"] == 6
