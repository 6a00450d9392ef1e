"""The digest of a file, and its writing as a whole."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sbtools
from sbtools.errors import OutputError, UsageError
from sbtools.files import WholeFile, sha256_of, write_whole
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


def test_what_a_killed_writer_left_is_removed_and_not_what_another_writes(tmp_path: Path) -> None:
    line = (
        "import os, sys; from sbtools.files import WholeFile; "
        "WholeFile(sys.argv[1]).file.write(b'half'); os._exit(137)"
    )
    ended = subprocess.run([sys.executable, "-c", line, str(tmp_path / "a")], check=False)
    (left,) = os.listdir(tmp_path)
    assert ended.returncode == 137 and left.startswith(".sbtools-")
    with WholeFile(tmp_path / "b") as file:
        assert left not in os.listdir(tmp_path) and len(os.listdir(tmp_path)) == 1
        file.write(b"first")
        code = f"from sbtools.files import write_whole; write_whole({str(tmp_path / 'c')!r}, b'c')"
        subprocess.run([sys.executable, "-c", code], check=True)
    assert sorted(os.listdir(tmp_path)) == ["b", "c"]
    assert (tmp_path / "b").read_bytes() == b"first"


def test_a_name_of_any_length_that_the_folder_takes(tmp_path: Path) -> None:
    write_whole(str(tmp_path / ("n" * 255)), b"data")
    assert os.listdir(tmp_path) == ["n" * 255]


WRITERS = {
    "sbtools/files.py": "the writer itself",
    "sbtools/store/output.py": "a second name for a file, and parts that HDF5 seeks in",
    "sbtools/store/lock.py": "a lock is taken by its name",
    "sbtools/store/part.py": "parts of a store, under names of chance",
    "sbtools/train/gather.py": "records on their way into a run, under a name of chance",
    "sbtools/train/folder.py": "moves what gather.py wrote",
    "sbtools/weights/download.py": "a download is continued, and follows no link",
    "sbtools/weights/fetch.py": "moves a folder",
    "sbtools/resumable.py": "records that are continued, and follow no link",
    "sbtools/doctor/checks.py": "tries out a folder of its own",
}
"""Who else opens files to write, or moves them, and why."""

WAYS = re.compile(
    r"""\bopen\(.*[,=]\s*["'][rb]*[wax+][wb+]*["']
    |\bos\.(?:replace|rename|link|symlink)\(|O_CREAT|O_WRONLY|\.write_(?:text|bytes)\(
    |\bshutil\.(?:copy|move)|\bnp\.save[a-z]*\(["']|\bimwrite\(|NamedTemporary|mkstemp""",
    re.VERBOSE,
)


def test_whole_files_are_written_in_one_way() -> None:
    """Another way would take a device for a file, or follow a link at a name that it foretells."""
    root = Path(sbtools.__file__).parent
    found = {
        str(path.relative_to(root.parent)): WAYS.findall(path.read_text("utf-8"))
        for path in root.rglob("*.py")
    }
    assert {name for name, ways in found.items() if ways} - {
        "sbtools/inputs.py",  # a temporary file without a name
        "sbtools/cli/process.py",  # /dev/null in place of a closed stream
        "sbtools/doctor/libraries.py",  # a video in memory
        "sbtools/models/tokenizer.py",  # in a temporary folder of its own
    } == set(WRITERS)


@pytest.mark.parametrize(
    "line",
    [
        'open(path, "wb")', "open(self._at(place), 'w', encoding='ascii')", 'open(part, "xb")',
        "os.replace(a, b)", 'path.write_text("x")', 'io.open(name, mode := "r+b")',
        "os.open(path, os.O_CREAT)", "shutil.copyfile(a, b)",
    ],
)  # fmt: skip
def test_the_search_finds_other_ways(line: str) -> None:
    assert WAYS.search(line)
