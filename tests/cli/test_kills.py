"""kill -9, at random times and at each step of a commit: the same command again, the same store."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.running import SBTOOLS, environment, ids, lines, sbtools, shell
from tests.making import make_clips

KILLS = int(os.environ.get("SBTOOLS_KILLS", "3"))
"""Random kills for each stage; 100 once in a while."""

CLIPS = 12
FEW = ["--frames", "2"]
"""Frames of a clip: what is made of each is quick, and how it is kept is the same."""
STEPS = ["after_write", "after_fsync", "before_rename", "after_rename"]


def digest(store: str, cwd: Path) -> str:
    done = sbtools("check", "--digest", store, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().split()[0]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clips, their masks and pixels made without interruption, and the records."""
    folder = tmp_path_factory.mktemp("kills")
    make_clips(folder / "clips", CLIPS, frames=16)
    done = sbtools("segment", "-q", *FEW, "-o", "clean-masks", "clips", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "masks.jsonl").write_bytes(done.stdout)
    done = sbtools("mask", "-q", "--mode", "bg", "-o", "clean-pixels", "masks.jsonl", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def run_and_kill(command: list[str], cwd: Path, after: float) -> int:
    """The command, killed with its workers' parent after so many seconds; its exit status."""
    with subprocess.Popen(
        [*SBTOOLS, *command], cwd=cwd, env=environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
    return process.returncode


STAGES = {
    "segment": (["segment", "-q", *FEW, "clips"], "clean-masks"),
    "mask": (["mask", "-q", "--mode", "bg", "masks.jsonl"], "clean-pixels"),
}


SLOW = pytest.mark.skipif(
    not os.environ.get("SBTOOLS_TEST_SLOW"),
    reason="takes minutes (SBTOOLS_TEST_SLOW=1 runs it); mask commits by the same steps",
)


@pytest.mark.parametrize("stage", ["mask", pytest.param("segment", marks=SLOW)])
def test_random_kills_leave_a_store_that_the_same_command_completes(stage: str, work: Path) -> None:
    words, clean = STAGES[stage]
    draw = random.Random(stage)
    command = [*words, "-o", f"killed-{stage}", "--part-clips", "2"]
    begun = time.monotonic()
    assert run_and_kill([*words, "-o", f"timed-{stage}"], work, 600) == 0
    whole = time.monotonic() - begun
    for _ in range(KILLS):
        code = run_and_kill(command, work, draw.uniform(0.1, whole))
        assert code in (0, -signal.SIGKILL)
        if code == 0:
            command += ["--overwrite"] if "--overwrite" not in command else []
    command = [word for word in command if word != "--overwrite"]
    done = sbtools(*command, cwd=work)
    assert done.returncode == 0, done.stderr
    assert len(ids(done.stdout)) == CLIPS
    assert digest(f"killed-{stage}", work) == digest(clean, work)
    assert not [name for name in os.listdir(work / f"killed-{stage}") if ".tmp-" in name]


@pytest.mark.parametrize(
    ("stage", "step"),
    [
        *(("mask", step) for step in STEPS),
        ("segment", STEPS[-1]),
        *(pytest.param("segment", step, marks=SLOW) for step in STEPS[:-1]),
    ],
)
def test_a_kill_at_each_step_of_a_commit(stage: str, step: str, work: Path) -> None:
    words, clean = STAGES[stage]
    store = f"{stage}-{step}"
    command = [*words, "-o", store, "--part-clips", "3", "--workers", "1"]
    done = sbtools(*command, cwd=work, env={"SBTOOLS_FAIL": f"{step}:2"})
    assert done.returncode == 137
    printed = ids(done.stdout)
    assert printed == ids((work / "masks.jsonl").read_bytes())[: len(printed)]
    assert sbtools("check", store, cwd=work).returncode == 0
    done = sbtools(*command, cwd=work)
    assert (done.returncode, len(ids(done.stdout))) == (0, CLIPS), done.stderr
    assert digest(store, work) == digest(clean, work)


def test_detect_continues_its_file_after_kills(work: Path) -> None:
    command = ["detect", "-q", *FEW, "--workers", "1", "clips"]
    begun = time.monotonic()
    clean = sbtools(*command, cwd=work)
    assert clean.returncode == 0
    whole = max(1.0, time.monotonic() - begun)
    draw = random.Random(5)
    for _ in range(4):
        run_and_kill([*command, "-o", "boxes.jsonl"], work, draw.uniform(0.5, whole))
    with open(work / "boxes.jsonl", "ab") as file:
        file.write(b'{"id": "torn')
    done = sbtools(*command, "-o", "boxes.jsonl", cwd=work)
    assert done.returncode == 0, done.stderr
    assert done.stdout == clean.stdout
    kept = {record["id"]: record for record in lines((work / "boxes.jsonl").read_bytes())}
    assert kept == {record["id"]: record for record in lines(clean.stdout)}


def test_a_stage_killed_within_a_pipe_shows_in_pipestatus(work: Path) -> None:
    line = (
        "sbtools detect -q --frames 2 clips | ("
        "  sbtools segment -q --frames 2 -o piped --part-clips 1 --workers 1 <&0 & pid=$!;"
        "  until ls piped/*.h5 2> /dev/null >&2; do sleep 0.05; done; kill -9 $pid; wait $pid"
        ") | sbtools mask -q --mode bg -o piped-pixels > out.jsonl;"
        'echo "${PIPESTATUS[@]}"'
    )
    done = shell(line, cwd=work)
    first, middle, last = map(int, done.stdout.split())
    assert middle == 137 and first in (0, 141) and last == 0
    check = sbtools("check", "--against", "masks.jsonl", "out.jsonl", cwd=work)
    assert check.returncode == (0 if len(ids((work / "out.jsonl").read_bytes())) == CLIPS else 3)


def workers_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def test_a_killed_worker_fails_its_clip_alone(work: Path) -> None:
    words = ["segment", "-q", *FEW, "--workers", "1", "--part-clips", "1"]
    words += ["-o", "hurt", "clips"]
    with subprocess.Popen(
        [*SBTOOLS, *words], cwd=work, env=environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        first = process.stdout.readline()
        (worker,) = workers_of(process.pid)
        os.kill(worker, signal.SIGKILL)
        rest, err = process.communicate(timeout=120)
    failed = [record for record in lines(first + rest) if "error" in record]
    assert process.returncode == 3, err
    assert [record["error"]["kind"] for record in failed] == ["died"]
    assert len(ids(first + rest)) == CLIPS
    again = sbtools(*words, cwd=work)
    assert again.returncode == 0 and len(ids(again.stdout)) == CLIPS


def test_killing_the_parent_leaves_no_worker(work: Path) -> None:
    with subprocess.Popen(
        [*SBTOOLS, "segment", "-o", "gone", "--frames", "all", "clips"], cwd=work,
        env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not (children := workers_of(process.pid)):
            time.sleep(0.05)
        process.kill()
        process.wait()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(Path(f"/proc/{c}").exists() for c in children):
        time.sleep(0.1)
    assert children and not any(Path(f"/proc/{child}").exists() for child in children)
