"""How many records there will be, before any is parsed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sbtools import inputs
from sbtools.inputs import Inputs
from tests.cli.running import environment

LINES = b'{"id": "a"}\n{"id": "b"}\n{"id": "c"}'


@pytest.mark.parametrize(("end", "count"), [(b"", 3), (b"\n", 3), (b'\n{"id": "d"}\n', 4)])
def test_a_file_of_records_has_as_many_as_it_has_lines(
    end: bytes, count: int, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES + end)
    path = str(tmp_path / "a.jsonl")
    assert Inputs([path], tmp_path).total == count
    assert len(list(Inputs([path], tmp_path))) == count


def test_limits_and_several_inputs_count_and_shards_of_streams_are_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES)
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "d.mp4").write_bytes(b"x")
    both = [str(tmp_path / name) for name in ("a.jsonl", "clips", "empty.jsonl")]
    assert Inputs(both, tmp_path).total == 4
    assert Inputs(both, tmp_path, limit=2).total == 2
    assert Inputs(both, tmp_path, shard=(0, 2)).total is None
    monkeypatch.setattr(inputs, "COUNTED", len(LINES) - 1)
    assert Inputs(both, tmp_path).total is None


def test_a_pipe_is_not_opened_to_count(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    assert Inputs([str(tmp_path / "pipe.jsonl")], tmp_path).total is None


@pytest.mark.parametrize(("piped", "told"), [(False, "2 2"), (True, "None 2")])
def test_stdin_is_counted_from_where_it_stands_and_read_from_there(
    piped: bool, told: str, tmp_path: Path
) -> None:
    """A shell may have read the first line, and a pipe cannot be counted."""
    (tmp_path / "a.jsonl").write_bytes(LINES)
    code = (
        "from pathlib import Path; from sbtools.inputs import Inputs\n"
        "found = Inputs([], Path('.')); print(found.total, len(list(found)))"
    )
    line = (
        'tail -n +2 a.jsonl | "$0" -c "$1"' if piped else '{ read -r x; "$0" -c "$1"; } < a.jsonl'
    )
    done = subprocess.run(
        ["bash", "-c", line, sys.executable, code], cwd=tmp_path, env=environment(),
        capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout.decode().strip() == told
