from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from sbtools.errors import ClipError
from sbtools.video import digest

MIB = 1 << 20


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB - 1, 2 * MIB, 3 * MIB + 5])
def test_size_and_sha1_of_both_ends(size: int, tmp_path: Path) -> None:
    data = os.urandom(size)
    (tmp_path / "v").write_bytes(data)
    ends = data if size <= 2 * MIB else data[:MIB] + data[-MIB:]
    assert digest(tmp_path / "v") == f"{size}-{hashlib.sha1(ends).hexdigest()}"


def test_times_and_names_do_not_count(plain: Path, tmp_path: Path) -> None:
    path = tmp_path / "other name"
    path.write_bytes(plain.read_bytes())
    os.utime(path, (0, 4_000_000_000))
    assert digest(path) == digest(plain)


def test_a_change_with_the_same_size_and_time_shows(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    path.write_bytes(b"a" * 100)
    before, stat = digest(path), path.stat()
    path.write_bytes(b"a" * 99 + b"b")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert digest(path) != before


def test_frame_folders(tmp_path: Path) -> None:
    for name in ("1.png", "2.png", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    first = digest(tmp_path)
    assert first.startswith("10-")
    (tmp_path / "notes.txt").write_bytes(b"other")
    assert digest(tmp_path) == first
    (tmp_path / "1.png").write_bytes(b"1.pnG")
    changed = digest(tmp_path)
    (tmp_path / "2.png").rename(tmp_path / "3.png")
    assert len({first, changed, digest(tmp_path)}) == 3


def test_what_has_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path, "unreadable"), (tmp_path / "pipe", "unreadable")):
        with pytest.raises(ClipError) as error:
            digest(path)
        assert error.value.kind == kind
    with pytest.raises(ClipError) as error:
        digest(tmp_path / "none.mp4")
    assert error.value.kind == "missing"
