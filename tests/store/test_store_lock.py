from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from stored import WHAT, add, hidden, in_a_process, make, parts

from sbtools.errors import LockedError
from sbtools.store import StoreWriter, check_store, digest
from sbtools.store.lock import Lock
from sbtools.store.owner import myself

IDS = [f"clip{number}" for number in range(6)]


def lock(folder: Path, shard: tuple[int, int] = (0, 1), **fields: Any) -> Path:
    """A lock as another process would have left it."""
    path = folder / f".lock-{shard[0]:03d}of{shard[1]:03d}"
    path.write_text(json.dumps({**myself(), **fields}))
    return path


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def opened(folder: Path, **options: Any) -> StoreWriter:
    return StoreWriter(str(folder), "masks", WHAT, {}, **options)


def test_a_second_writer_is_refused_and_the_first_unharmed(tmp_path: Path) -> None:
    with opened(tmp_path) as first:
        add(first, "a")
        for options in ({}, {"take_over": True}, {"overwrite": True}, {"shard": (1, 2)}):
            with pytest.raises(LockedError, match=f"pid {os.getpid()} on .* is still writing"):
                opened(tmp_path, **options)
        add(first, "b")
        assert len(first.close()) == 2
    assert list(check_store(str(tmp_path))) == []
    assert hidden(tmp_path) == []


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    code = (
        "import sys; from sbtools.store import StoreWriter\n"
        "from sbtools.errors import LockedError\n"
        "try: StoreWriter(sys.argv[1], 'masks', {}, {})\n"
        "except LockedError as error: sys.exit(error.exit_code)"
    )
    env = {**os.environ, "HDF5_USE_FILE_LOCKING": "FALSE"}
    with opened(tmp_path) as first:
        add(first, "a")
        assert subprocess.run([sys.executable, "-c", code, tmp_path], env=env).returncode == 7
        assert len(first.close()) == 1


def test_shards_do_not_lock_each_other(tmp_path: Path) -> None:
    with opened(tmp_path, shard=(0, 2)) as first, opened(tmp_path, shard=(1, 2)) as second:
        add(first, "a")
        add(second, "b")
        assert len(first.close()) == len(second.close()) == 1


@pytest.mark.parametrize(
    "owner",
    [
        {"pid": dead_pid()},
        {"start": 1},
        {"boot": "another boot"},
        {"pid": dead_pid(), "start": None},
    ],
    ids=["dead", "pid reused", "rebooted", "no start time"],
)
@pytest.mark.parametrize("shard", [(0, 1), (1, 2)])
def test_the_lock_of_a_dead_process_is_taken(
    tmp_path: Path, owner: dict[str, Any], shard: tuple[int, int]
) -> None:
    lock(tmp_path, shard, **owner)
    make(tmp_path, IDS)
    assert hidden(tmp_path) == []


def test_a_lock_with_pid_and_host_alone_is_understood(tmp_path: Path) -> None:
    path = tmp_path / ".lock-000of001"
    path.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}))
    with pytest.raises(LockedError, match="is still writing"):
        opened(tmp_path)
    path.write_text(json.dumps({"host": socket.gethostname(), "pid": dead_pid()}))
    make(tmp_path, IDS)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({**myself(), "host": "another", "pid": 7}),
        json.dumps({**myself(), "machine": "another"}),
        json.dumps({**myself(), "space": "pid:[7]"}),
        json.dumps({**myself(), "pid": "7"}),
        "",
        "[]",
        "[" * 60_000,
    ],
    ids=["host", "machine", "container", "pid", "empty", "list", "deep"],
)
def test_a_lock_that_cannot_be_judged_needs_take_over(tmp_path: Path, text: str) -> None:
    (tmp_path / ".lock-000of001").write_text(text)
    with pytest.raises(LockedError, match="--take-over if that process is gone"):
        opened(tmp_path)
    assert (tmp_path / ".lock-000of001").read_text() == text
    make(tmp_path, IDS, take_over=True)
    assert hidden(tmp_path) == []


def test_a_requeued_task_takes_its_own_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm = {"host": "node1", "job": "42", "task": "3", "restart": 0}
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "42")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    make(tmp_path, IDS[:1])
    lock(tmp_path, **slurm)
    make(tmp_path, IDS[:2])
    for other in ({"restart": 1}, {"task": "4"}, {"job": "41"}):
        lock(tmp_path, **{**slurm, **other})
        with pytest.raises(LockedError, match=r"on node1 since .*Slurm job 4\d, task \d"):
            opened(tmp_path)


@pytest.mark.parametrize(
    "point", ["lock_written:1", "lock_written:2", "lock_taken", "lock_replaced"]
)
def test_who_is_killed_while_it_takes_over_leaves_nothing(tmp_path: Path, point: str) -> None:
    """The first lock that is written in vain is its own, the second is its claim."""
    lock(tmp_path, pid=dead_pid())
    assert in_a_process(lambda: make(tmp_path, IDS), point) == 137
    assert hidden(tmp_path) != []
    make(tmp_path, IDS)
    assert hidden(tmp_path) == []


def test_a_claim_to_a_lock_that_is_held_stays(tmp_path: Path) -> None:
    """Another process is about to find out whether this one still writes."""
    with opened(tmp_path) as first:
        content = Path(first._lock.path).read_bytes()
        claim = f".lock-000of001.over-{hashlib.sha256(content).hexdigest()[:16]}"
        for name in (claim, f"{claim}.tmp-1-ab", ".lock-000of001.over-" + 16 * "0"):
            (tmp_path / name).write_text(json.dumps({**myself(), "pid": dead_pid()}))
        first._lock._sweep()
        assert hidden(tmp_path) == sorted([".lock-000of001", claim, f"{claim}.tmp-1-ab"])


def test_who_was_taken_over_commits_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as first:
        add(first, "a")
        lock(tmp_path, host="another")
        with pytest.raises(LockedError, match="was taken over by another process"):
            first.close()
    assert parts(tmp_path) == []
    assert hidden(tmp_path) == [".lock-000of001"]


def together(target: Any, *args: Any) -> None:
    """Run it in eight processes that start each round at once."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(8)
    processes = [context.Process(target=target, args=(index, barrier, *args)) for index in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 8


def _contend(index: int, barrier: Any, folder: str, stale: str, log: str) -> None:
    """Take the lock again and again; who has it says so before anybody gives it back."""
    for turn in range(40):
        barrier.wait()
        try:
            mine = Lock(folder, (0, 1))
        except LockedError:
            barrier.wait()
            continue
        with open(log, "a", encoding="ascii") as file:
            file.write(f"{turn}\n")
        barrier.wait()
        if turn % 2:
            mine.release()
        else:
            Path(mine.path).write_text(stale)


def test_of_eight_processes_at_once_one_gets_the_lock(tmp_path: Path) -> None:
    folder, log = tmp_path / "s", tmp_path / "log"
    folder.mkdir()
    stale = lock(folder, pid=dead_pid()).read_text()
    together(_contend, str(folder), stale, str(log))
    assert log.read_text().split() == [str(turn) for turn in range(40)]
    assert hidden(folder) == []


def _write(index: int, barrier: Any, folders: list[str]) -> None:
    shard = (index % 4, 4)
    for folder in folders:
        barrier.wait()
        try:
            make(folder, [f"{id}.{index % 4}" for id in IDS], shard=shard, part_clips=2)
        except LockedError as error:
            assert error.exit_code == 7


def test_eight_writers_of_four_shards_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HDF5_USE_FILE_LOCKING", "FALSE")
    make(tmp_path / "clean", [f"{id}.{index}" for id in IDS for index in range(4)])
    folders = [tmp_path / f"s{trial}" for trial in range(5)]
    for folder in folders:
        folder.mkdir()
        for index in range(4):
            lock(folder, (index, 4), pid=dead_pid())
    together(_write, [str(folder) for folder in folders])
    for folder in folders:
        assert list(check_store(str(folder))) == []
        assert digest(str(folder)) == digest(str(tmp_path / "clean"))
        assert hidden(folder) == []
