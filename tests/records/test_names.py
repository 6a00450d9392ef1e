"""Ids as keys, as names of files, and paths below a root."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sbtools.records import (
    file_name_of,
    id_of,
    key_of,
    relative,
    resolve,
)

halves = st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"])
ids = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]) | halves, min_size=1
)


@given(ids)
@example("juggle/g23_c01")
@example(".")
@example("..")
@example("a%2Fb")
@example("\U0001f480\n")
@example("\udcc3\udca9")
def test_a_key_is_one_ascii_link_name_and_gives_the_id_back(id: str) -> None:
    key = key_of(id)
    assert key.isascii()
    assert key.isprintable()
    assert not set(key) & set("/: ")
    assert key.strip(".")
    assert id_of(key) == id


def test_keys_look_as_the_manual_says() -> None:
    assert key_of("juggle/g23_c01") == "juggle%2Fg23_c01"
    assert key_of("a b.mp4") == "a%20b.mp4"


@pytest.mark.parametrize("key", ["", "a%2fb", "%41", "a/b", ".", "a%2", "%FF", "é"])
def test_a_name_that_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError):
        id_of(key)


HOSTILE = [
    "/",
    "..",
    "../..",
    "/etc/passwd",
    "a/../../b",
    "./a",
    "a//b",
    "a/",
    "~",
    "-rf",
    "%",
    "%~",
]


def outcome(id: str) -> bytes:
    """The path as the operating system would take it, checked to stay below the folder."""
    path = os.fsencode(file_name_of(id, ".mp4"))
    parts = path.split(b"/")
    assert path.endswith(b".mp4")
    assert b"\0" not in path
    assert all(part not in (b"", b".", b"..") and len(part) <= 255 for part in parts)
    assert not any(part.endswith(b".mp4") for part in parts[:-1])
    return path


@given(st.lists(ids | st.sampled_from(HOSTILE), max_size=6, unique=True))
@example(["wave", "wave/person", "wave.mp4", "wave.mp4/a", "wave%2Emp4/a"])
@example(["é", "\udcc3\udca9"])
@example(["a" * 300, "a" * 301, "a" * 300 + "/b", "é" * 200])
@example(["a/" * 3000, "a/" * 3001])
@example(["", "%"])
@example([".", "%2E", "./a", "%2E/a", "../a", "/a", "%/a"])
def test_file_names_stay_below_and_apart(found: list[str]) -> None:
    assert len({outcome(id) for id in found}) == len(found)


def test_ordinary_ids_keep_their_names() -> None:
    assert file_name_of("juggle/g 23", ".mp4") == "juggle/g 23.mp4"
    assert file_name_of("-rf", ".png") == "-rf.png"
    assert file_name_of("a.b/c.d", "") == "a.b/c.d"


def test_paths_begin_at_the_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SBTOOLS_ROOT", raising=False)
    assert resolve("a/b.mp4") == f"{tmp_path}/a/b.mp4"
    assert resolve("a", "data") == f"{tmp_path}/data/a"
    assert resolve("/a", "data") == "/a"
    monkeypatch.setenv("SBTOOLS_ROOT", "/sets")
    assert resolve("a") == "/sets/a"
    assert resolve("a", "/other") == "/other/a"


@pytest.mark.parametrize(
    ("path", "root", "wanted"),
    [
        ("masks", None, "masks"),
        ("./masks/", None, "masks"),
        ("../masks", None, "{up}/masks"),
        ("/data/masks", "/data", "masks"),
        ("/database", "/data", "/database"),
        ("masks", "/data", "{here}/masks"),
        ("sub/masks", "sub", "masks"),
        (".", None, "{here}"),
    ],
)
def test_relative_paths_are_found_again(
    path: str, root: str | None, wanted: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SBTOOLS_ROOT", raising=False)
    found = relative(path, root)
    assert found == wanted.format(here=tmp_path, up=tmp_path.parent)
    assert os.path.abspath(resolve(found, root)) == os.path.abspath(path)
