from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from stored import WHAT, add, hidden, make, parts

from sbtools.errors import LockedError, OutputError, UsageError
from sbtools.records import parse
from sbtools.store import Stores, StoreWriter, check_store, digest

IDS = [f"clip{number}" for number in range(12)]

RUN = f"""
import resource, sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from sbtools.errors import SbtoolsError
from sbtools.records import Writer
from sbtools.store import StoreWriter
from stored import WHAT, add
kind, folder, ids, limit = sys.argv[1], sys.argv[2], sys.argv[3].split(), int(sys.argv[4])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
out = Writer(sys.stdout.buffer)
try:
    with StoreWriter(folder, kind, WHAT, {{}}, part_clips=3) as writer:
        for id in ids:
            done = writer.done.get(id)
            for record in writer.pass_on(done.record) if done else add(writer, id):
                out.write(record)
        for record in writer.close():
            out.write(record)
except SbtoolsError as error:
    sys.stderr.write(str(error))
    sys.exit(error.exit_code)
"""


def command(kind: str, folder: Path, limit: int = 0) -> list[str]:
    return [sys.executable, "-c", RUN, kind, str(folder), " ".join(IDS), str(limit)]


def run(kind: str, folder: Path, limit: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(kind, folder, limit), env={**os.environ, **env}, capture_output=True, text=True
    )


def whole(folder: Path) -> str:
    """The digest of a store in which nothing is wrong and nothing is left over."""
    assert list(check_store(str(folder))) == []
    assert hidden(folder) == []
    return digest(str(folder))


def test_nothing_is_seen_before_it_is_whole(tmp_path: Path) -> None:
    with StoreWriter(str(tmp_path), "masks", WHAT, {}, part_clips=3) as writer:
        assert add(writer, "a") == []
        assert writer.pass_on({"id": "failed"}) == []
        assert add(writer, "b") == []
        assert writer.tick() == []
        assert parts(tmp_path) == []
        found = add(writer, "c")
        assert [record["id"] for record in found] == ["a", "failed", "b", "c"]
        assert parts(tmp_path) == ["000of001-00000.h5"]
        assert Stores().clip(found[0]["masks"]).record == found[0]
        assert writer.pass_on({"id": "late"}) == [{"id": "late"}]
        add(writer, "d")
        assert [record["id"] for record in writer.close()] == ["d"]
        assert writer.close() == []
    assert parts(tmp_path) == ["000of001-00000.h5", "000of001-00001.h5"]
    assert hidden(tmp_path) == []


def test_a_part_closes_by_its_bytes(tmp_path: Path) -> None:
    with StoreWriter(str(tmp_path), "pixels", WHAT, {}, part_bytes=100_000) as writer:
        sizes = [len(add(writer, id, height=64, width=64)) for id in IDS[:6]]
        assert sizes == [0, 0, 3, 0, 0, 3]


def test_a_part_closes_by_its_age(tmp_path: Path) -> None:
    with StoreWriter(str(tmp_path), "masks", WHAT, {}, part_seconds=0.3) as writer:
        assert writer.tick() == []
        assert add(writer, "a") == []
        assert writer.tick() == []
        time.sleep(0.3)
        assert [record["id"] for record in writer.tick()] == ["a"]
        assert add(writer, "b") == []
        time.sleep(0.3)
        assert [record["id"] for record in add(writer, "c")] == ["b", "c"]


def test_leaving_early_leaves_only_what_was_committed(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        StoreWriter(str(tmp_path), "masks", WHAT, {}, part_clips=2) as writer,
    ):
        for id in IDS[:3]:
            add(writer, id)
        raise KeyboardInterrupt
    assert parts(tmp_path) == ["000of001-00000.h5"]
    assert hidden(tmp_path) == []
    make(tmp_path, IDS[:3])
    make(tmp_path / "clean", IDS[:3])
    assert whole(tmp_path) == whole(tmp_path / "clean")


@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("step", ["after_write", "after_fsync", "before_rename", "after_rename"])
def test_a_kill_at_any_step_of_a_commit_is_made_good(tmp_path: Path, step: str, nth: int) -> None:
    killed = run("masks", tmp_path / "s", SBTOOLS_FAIL=f"{step}:{nth}")
    assert killed.returncode == 137
    assert len(killed.stdout.splitlines()) == 3 * (nth - 1)
    assert len(parts(tmp_path / "s")) == nth - (step != "after_rename")
    again = run("masks", tmp_path / "s")
    assert (again.returncode, again.stderr) == (0, "")
    assert len(again.stdout.splitlines()) == len(IDS)
    make(tmp_path / "clean", IDS)
    assert whole(tmp_path / "s") == whole(tmp_path / "clean")


def test_kills_at_random_are_made_good(tmp_path: Path) -> None:
    rng = random.Random(0)
    make(tmp_path / "clean", IDS)
    folder = tmp_path / "s"
    for _ in range(6):
        with subprocess.Popen(command("masks", folder), stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            printed = process.stdout.readline()
            time.sleep(rng.uniform(0, 0.03))
            process.send_signal(signal.SIGKILL)
            printed += process.stdout.read()
        for line in printed.splitlines(keepends=True):
            if line.endswith(b"\n"):
                record = parse(line, "out")
                assert Stores().clip(record["masks"]).record == record
    assert run("masks", folder).returncode == 0
    assert whole(folder) == whole(tmp_path / "clean")


@pytest.mark.parametrize("kind", ["masks", "pixels"])
def test_a_full_disk_ends_the_run_and_harms_nothing(tmp_path: Path, kind: str) -> None:
    """At every size that a file may be cut at: exit 6, never a crash of HDF5."""
    make(tmp_path / "clean", IDS, kind)
    size = (tmp_path / "clean" / parts(tmp_path / "clean")[0]).stat().st_size // 4
    codes = set()
    for step in range(8):
        folder = tmp_path / f"s{step}"
        limit = 700 + step * size // 5
        full = run(kind, folder, limit)
        codes.add(full.returncode)
        assert full.returncode in (0, 6), full.stderr
        if full.returncode == 6:
            assert full.stderr.startswith(
                f"cannot write {folder}/000of001-00000.h5: File too large"
            )
            assert full.stdout == ""
            assert parts(folder) == []
        assert hidden(folder) == []
        assert run(kind, folder).returncode == 0
        assert whole(folder) == whole(tmp_path / "clean")
    assert codes == {0, 6}


def test_parts_before_the_disk_was_full_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pwrite(handle: int, data: Any, place: int) -> int:
        nonlocal left
        left -= len(data)
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return written(handle, data, place)

    left, written = 250_000, os.pwrite
    monkeypatch.setattr(os, "pwrite", pwrite)
    found = []
    with (
        pytest.raises(OutputError, match=r"000of001-0000[1-9]\.h5: No space left on device"),
        StoreWriter(str(tmp_path), "pixels", WHAT, {}, part_clips=2) as writer,
    ):
        for id in IDS * 10:
            found += add(writer, id, height=80, width=80)
    monkeypatch.undo()
    assert len(found) == 2 * len(parts(tmp_path)) > 0
    assert hidden(tmp_path) == []
    for record in found:
        assert Stores().clip(record["pixels"]).record == record
    make(tmp_path, IDS, "pixels")
    assert list(check_store(str(tmp_path))) == []


@pytest.mark.parametrize("name", ["fsync", "replace", "open"])
@pytest.mark.parametrize("code", [errno.EIO, errno.EDQUOT, errno.ENOSPC])
def test_a_disk_that_fails_at_the_end_is_an_output_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    def fails(*args: Any, **options: Any) -> None:
        raise OSError(code, os.strerror(code))

    writer = StoreWriter(str(tmp_path), "masks", WHAT, {}, part_clips=2)
    add(writer, "a")
    add(writer, "b")
    if name != "open":
        add(writer, "c")
    monkeypatch.setattr(os, name, fails)
    with pytest.raises(OutputError, match=os.strerror(code)):
        add(writer, "d")
    monkeypatch.undo()
    with writer:
        pass
    assert parts(tmp_path) == ["000of001-00000.h5"]
    assert hidden(tmp_path) == []
    make(tmp_path, ["a", "b", "c", "d"])
    make(tmp_path / "clean", ["d", "c", "b", "a"])
    assert whole(tmp_path) == whole(tmp_path / "clean")


def test_no_part_is_ever_written_over(tmp_path: Path) -> None:
    with StoreWriter(str(tmp_path), "masks", WHAT, {}) as writer:
        add(writer, "a")
        (tmp_path / "000of001-00000.h5").write_bytes(b"another's")
        with pytest.raises(LockedError, match=r"000of001-00000\.h5 was made by another process"):
            writer.close()
    assert (tmp_path / "000of001-00000.h5").read_bytes() == b"another's"
    assert hidden(tmp_path) == []


def test_numbers_go_on_after_the_highest(tmp_path: Path) -> None:
    make(tmp_path, IDS[:4], part_clips=2)
    (tmp_path / "000of001-00000.h5").unlink()
    make(tmp_path, IDS[:4], part_clips=2)
    assert parts(tmp_path) == ["000of001-00001.h5", "000of001-00002.h5"]


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_a_folder_that_cannot_be_is_a_usage_error(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write"):
        StoreWriter(str(tmp_path / folder), "masks", WHAT, {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_a_usage_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(UsageError, match="cannot write"):
        StoreWriter(str(tmp_path), "masks", WHAT, {})


def test_other_files_and_live_temporaries_of_other_shards_stay(tmp_path: Path) -> None:
    kept = ["notes.txt", "x.h5", ".001of002-00000.h5.tmp-1-a", "0of2-0.h5", ".hidden"]
    swept = [
        ".000of002-00004.h5.tmp-99-ab",
        ".000of002-made.json.tmp-9-b",
        ".lock-000of002.tmp-1-c",
        ".lock-000of002.over-793096c919145734.tmp-27212-d0b1e5db",
    ]
    for name in kept + swept:
        (tmp_path / name).write_bytes(b"x")
    make(tmp_path, IDS[:2], shard=(0, 2), overwrite=True)
    made = ["000of002-00000.h5", "000of002.json", "made.json"]
    assert sorted([*kept, *made]) == sorted(os.listdir(tmp_path))
