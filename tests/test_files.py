"""The digest of a file, and its writing as a whole."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from sbtools.errors import OutputError, UsageError
from sbtools.files import sha256_of
from sbtools.store import output


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    data = os.urandom((3 << 20) + 1)
    (tmp_path / "file").write_bytes(data)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(data).hexdigest()


def test_a_file_is_written_whole_or_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "file"
    output.write_whole(str(place), b"old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="No space left"):
            output.write_whole(str(place), b"new and longer")
    assert place.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]
    output.write_whole(str(place), b"new")
    assert place.read_bytes() == b"new" and os.listdir(tmp_path) == ["file"]
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="cannot write"):
        output.write_whole(str(tmp_path / "folder"), b"data")
    with pytest.raises(UsageError, match="No such file or directory"):
        output.write_whole(str(tmp_path / "absent" / "file"), b"data")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]
