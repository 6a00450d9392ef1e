"""The examples and sbtools-array, run as a user's shell runs them."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import environment, ids, lines, sbtools, server
from tests.making import make_clips

HERE = Path(__file__).resolve().parent.parent
QUICKSTART = HERE / "examples" / "quickstart.sh"
SBATCH = HERE / "examples" / "slurm" / "segment.sbatch"
ARRAY = HERE / "bin" / "sbtools-array"
TASK = {
    "SLURM_JOB_ID": "71",
    "SLURM_ARRAY_JOB_ID": "70",
    "SLURM_ARRAY_TASK_ID": "0",
    "SLURM_ARRAY_TASK_COUNT": "2",
}
ONE_CORE = {"SLURM_CPUS_PER_TASK": "1", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder for PATH with sbtools, sbtools-array and an scontrol that notes how it is called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    served(folder)
    (folder / "sbtools-array").symlink_to(HERE / "bin" / "sbtools-array")
    executable(folder / "scontrol", f'echo "$@" >> "{tmp_path}/scontrol.log"')
    return folder


def served(folder: Path) -> None:
    """Put an sbtools there that starts in no time."""
    executable(folder / "sbtools", f'exec {shlex.join(server().words)} "$@"')


def executable(place: Path, text: str) -> Path:
    place.write_text(f"#!/bin/bash\n{text}\n")
    place.chmod(0o755)
    return place


def surroundings(path: Path, extra: Mapping[str, str]) -> dict[str, str]:
    found = f"{path}{os.pathsep}{os.environ['PATH']}"
    return environment({"PATH": found, "PYTHON": sys.executable, **ONE_CORE, **extra})


def bash(
    *words: str | Path,
    cwd: Path,
    path: Path,
    env: Mapping[str, str] | None = None,
    timeout: float = 400,
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", *map(str, words)],
        cwd=cwd,
        env=surroundings(path, env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout,
        check=False,
    )


def test_quickstart_goes_the_whole_way(tmp_path: Path, path: Path) -> None:
    (path / "sbtools").unlink()
    (path / "sbtools").symlink_to(HERE / "bin" / "sbtools")
    clips = make_clips(tmp_path / "some clips", 2, frames=12)
    (clips / "walk" / "broken.mp4").write_bytes(b"<html>not found</html>")
    done = bash(QUICKSTART, clips, "out", cwd=tmp_path, path=path)
    assert done.returncode == 0, done.stderr
    assert b"walk/broken" in done.stderr and b"Traceback" not in done.stderr
    out = tmp_path / "out"
    records = lines((out / "masked.jsonl").read_bytes())
    assert [record["id"] for record in records] == ["walk/broken", "walk/clip0", "wave/clip1"]
    assert ["pixels" in record for record in records] == [False, True, True]
    assert (out / "masks.png").stat().st_size and (out / "masked.png").stat().st_size
    assert sorted(file.name for file in (out / "look").rglob("*.mp4")) == ["clip0.mp4", "clip1.mp4"]


def test_tasks_of_an_array_make_the_store_together(tmp_path: Path, path: Path) -> None:
    clips = make_clips(tmp_path / "clips", 4, frames=12)
    listed = sbtools("index", clips, cwd=tmp_path).stdout
    (tmp_path / "clips.jsonl").write_bytes(listed)
    done = []
    for task in ("0", "1"):
        env = {**TASK, "SLURM_ARRAY_TASK_ID": task}
        run = bash(SBATCH, "clips.jsonl", "masks", cwd=tmp_path, path=path, env=env)
        assert run.returncode == 0, run.stderr
        told = run.stderr.decode().splitlines()
        assert told[0].startswith("sbtools-array: segment on ")
        assert f": job 70_{task}, shard {task}, restart 0, GPU none" in told[0]
        assert re.search(rf"shard {task} of 2: \d clips, 0 failed$", told[-2])
        assert told[-1] == f"sbtools-array: shard {task} ended with 0"
        done.append(ids((tmp_path / f"masks-{int(task):03}of002.jsonl").read_bytes()))
    assert sorted(done[0] + done[1]) == sorted(ids(listed)) and all(done)
    joined = joining(tmp_path, path)
    assert joined.returncode == 0, joined.stderr
    assert b"4 clips were done already" in joined.stderr
    assert ids((tmp_path / "masks.jsonl").read_bytes()) == ids(listed)


def joining(cwd: Path, path: Path) -> subprocess.CompletedProcess[bytes]:
    """The commands that the end of the batch script tells."""
    told = re.findall(r"^#   (sbtools .*)$", SBATCH.read_text("utf-8"), flags=re.M)
    after = [line for line in told if not line.startswith("sbtools index")]
    assert len(after) == 2
    return bash("-ec", "\n".join(after), cwd=cwd, path=path)


def test_the_batch_script_asks_slurm_for_what_it_needs() -> None:
    asked = re.findall(r"^#SBATCH (.*)$", SBATCH.read_text("utf-8"), flags=re.M)
    wanted = {"--signal=B:USR1@120", "--requeue", "--open-mode=append"}
    assert wanted <= set(asked) and any(line.startswith("--array=") for line in asked)


@pytest.mark.parametrize("task", ["0", "3", "7"])
def test_a_task_is_a_shard(task: str, tmp_path: Path, path: Path) -> None:
    """Its number is the shard's; sbtools finds out of how many (tests/cli/test_shards.py)."""
    fake = executable(tmp_path / "fake", 'echo "$SBTOOLS_SHARD" "$@"; exit 3')
    env = {**TASK, "SLURM_ARRAY_TASK_ID": task, "SBTOOLS": str(fake)}
    done = bash(ARRAY, "segment", "a b", cwd=tmp_path, path=path, env=env)
    assert (done.returncode, done.stdout) == (3, f"{task} segment a b\n".encode())
    assert not (tmp_path / "scontrol.log").exists()


def test_outside_an_array_there_is_no_shard(tmp_path: Path, path: Path) -> None:
    done = bash(ARRAY, "index", ".", cwd=tmp_path, path=path)
    assert done.returncode == 2 and b"sbatch --array" in done.stderr


@pytest.mark.parametrize(
    ("number", "code", "called"),
    [(signal.SIGUSR1, 75, "requeue 70_0\n"), (signal.SIGTERM, 143, None)],
)
def test_signals_reach_sbtools_and_75_is_requeued(
    number: int, code: int, called: str | None, tmp_path: Path, path: Path, clips: Path
) -> None:
    record = sbtools("index", "--limit", "1", clips, cwd=tmp_path).stdout
    env = surroundings(path, {**TASK, "SLURM_ARRAY_TASK_COUNT": "1"})
    command = ["sbtools-array", "index", "--workers", "0"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=env, executable=path / "sbtools-array",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(record)
        process.stdin.flush()
        assert ids(process.stdout.readline()) == ids(record)
        process.send_signal(number)
        assert process.wait(20) == code
        process.stdin.close()
    log = tmp_path / "scontrol.log"
    assert (log.read_text() if log.exists() else None) == called


STARTING = "echo started; exec sleep 100"
"""As a program that takes no signals yet."""


@contextmanager
def started(fake: str, tmp_path: Path, path: Path, **extra: str) -> Iterator[Any]:
    """sbtools-array around a program of bash, which has begun."""
    env = {**TASK, "SBTOOLS": str(executable(tmp_path / "fake", fake)), **extra}
    with subprocess.Popen(
        ["bash", str(ARRAY), "segment"], cwd=tmp_path, env=surroundings(path, env),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stdout.readline() == b"started\n"
        yield process


@pytest.mark.parametrize(
    ("restarts", "code", "called"), [("0", 75, ["requeue 70_0"]), ("5", 1, [])]
)
def test_usr1_while_the_interpreter_starts_requeues_but_not_for_ever(
    restarts: str, code: int, called: list[str], tmp_path: Path, path: Path
) -> None:
    with started(STARTING, tmp_path, path, SLURM_RESTART_COUNT=restarts) as process:
        process.send_signal(signal.SIGUSR1)
        _, err = process.communicate(timeout=60)
    log = tmp_path / "scontrol.log"
    assert (process.returncode, log.read_text().split("\n")[:-1] if log.exists() else []) == (
        code, called,
    ), err  # fmt: skip
    assert (b"more --time" in err) == (code == 1)


def test_a_clip_that_takes_longer_than_the_signal_leaves_is_requeued_too(
    tmp_path: Path, path: Path
) -> None:
    """Slurm ends a task whose time is up without requeueing it."""
    log, go = tmp_path / "scontrol.log", tmp_path / "go"
    executable(path / "squeue", "date -d '+12 seconds' +%Y-%m-%dT%H:%M:%S")
    slow = f"trap : USR1; echo started; until [ -e '{go}' ]; do sleep 0.1; done; exit 75"
    with started(slow, tmp_path, path) as process:
        process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + 60
        while not log.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        early = log.exists()
        go.touch()
        _, err = process.communicate(timeout=60)
    assert early and log.read_text() == "requeue 70_0\n", err
    assert process.returncode == 75 and b"takes longer than --signal leaves" in err
