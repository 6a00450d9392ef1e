"""examples/train.sh and examples/slurm/train.sbatch, as a user's shell and Slurm run them."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.fake_slurm import install
from tests.cli.running import lines
from tests.test_examples import bash, path, surroundings
from tests.train.test_launch import until

__all__ = ["path"]
HERE = Path(__file__).resolve().parents[2]
TRAIN = HERE / "examples" / "train.sh"
SBATCH = HERE / "examples" / "slurm" / "train.sbatch"
JOB = {"SLURM_JOB_ID": "71", "SLURM_JOB_NUM_NODES": "2", "SLURM_GPUS_ON_NODE": "4"}


def test_the_example_trains_both_arms(tmp_path: Path, path: Path) -> None:
    env = {"CLIPS": "0.01", "EPOCHS": "1", "OMP_NUM_THREADS": "1"}
    done = bash(TRAIN, "out", cwd=tmp_path, path=path, env=env)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    for arm in ("plain", "mask"):
        (line,) = lines((out / f"{arm}.jsonl").read_bytes())
        assert line["epoch"] == 1 and line["val_clips"] == 12 and (out / arm / "last.pt").exists()
    assert set(line["drawn"]) == {"none", "bg"}


@pytest.fixture
def slurm(path: Path, tmp_path: Path) -> Iterator[Path]:
    """PATH with an srun, an scancel and an sbtools that say how they are called."""
    yield install(path, tmp_path)
    for pid in (tmp_path / "pids").read_text().split():
        with suppress(ProcessLookupError):
            os.killpg(int(pid), signal.SIGKILL)


@pytest.mark.parametrize("code", [0, 5])
def test_the_batch_script_starts_one_process_a_node(code: int, slurm: Path, tmp_path: Path) -> None:
    env = {**JOB, "WEIGHTS": "w.pt", "SLURM_RESTART_COUNT": "3"}
    env["SBTOOLS_ENV"] = "my env"
    (tmp_path / "my env").write_text(f"export DONE={code}\n")
    words = ["masks.jsonl", "runs/bg50", "--set", "ratio=1:1 "]
    done = bash(SBATCH, *words, cwd=tmp_path, path=slurm, env=env)
    assert done.returncode == code, done.stderr
    assert (tmp_path / "words").read_text().split("\n")[:-1] == [
        "train", "--nodes", "2", "--signal-lead", "300", "--gpus", "4", "--weights", "w.pt",
        "--set", "ratio=1:1 ", "-o", "runs/bg50", "masks.jsonl",
    ]  # fmt: skip
    asked = (tmp_path / "srun.log").read_text().split()
    assert asked[:4] == ["--nodes=2", "--ntasks=2", "--ntasks-per-node=1", "--kill-on-bad-exit=1"]
    epochs = (tmp_path / "runs/bg50.jsonl").read_text().splitlines()
    assert set(epochs) == {'{"epoch": 1}'} and (code or len(epochs) == 2)
    assert not (tmp_path / "scontrol.log").exists()
    first, *_, last = done.stderr.decode().splitlines()
    host = socket.gethostname()
    assert first == f"train: runs/bg50, host {host}, 2 nodes, 4 GPUs each, restart 3"
    assert last == f"train: runs/bg50 ended with {code}"
    assert [file.name for file in (tmp_path / "runs").iterdir()] == ["bg50.jsonl"]


Told = tuple[int, str | None, str]


def told(slurm: Path, tmp_path: Path, number: int | None, **env: str) -> Told:
    """Status, what scontrol was called with, and stderr of a job that gets a signal."""
    given = surroundings(slurm, {**JOB, "SLURM_GPUS_ON_NODE": "0", "ON_USR1": "exit 75", **env})
    for name in ("ready.0", "ready.1", "scontrol.log"):
        (tmp_path / name).unlink(missing_ok=True)
    with subprocess.Popen(
        ["bash", SBATCH, "masks.jsonl", "bg50"], cwd=tmp_path, env=given, stderr=subprocess.PIPE
    ) as process:
        try:
            ready = [tmp_path / f"ready.{node}" for node in (0, 1)]
            if number is not None:
                assert until(lambda: all(file.exists() for file in ready))
                process.send_signal(number)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    log = tmp_path / "scontrol.log"
    return process.returncode, log.read_text() if log.exists() else None, err.decode()


AGAIN = (75, "requeue 71\n")
BOTH = "until [ -e $LOGS/ready.0 ]; do sleep 0.05; done"
"""The second node waits: what is struck down before its shell can listen says 143."""


@pytest.mark.parametrize(
    ("number", "ended"), [(signal.SIGUSR1, AGAIN), (signal.SIGTERM, (143, None))]
)
def test_signals_reach_all_nodes_and_none_kills_another_that_leaves(
    number: int, ended: Told, slurm: Path, tmp_path: Path
) -> None:
    """The second node needs longer for its last step."""
    leaves = "[ $node = 1 ] && sleep 1; touch $LOGS/left.$node; exit {}"
    killed = 'trap "touch $LOGS/killed" TERM; '
    env = {"ON_USR1": killed + leaves.format(75), "ON_TERM": leaves.format(143)}
    *found, err = told(slurm, tmp_path, number, **env)
    assert tuple(found) == ended
    name = signal.Signals(number).name.removeprefix("SIG")
    assert set((tmp_path / "scancel.log").read_text().splitlines()) == {f"--signal={name} 71.0"}
    assert (tmp_path / "left.0").exists() and (tmp_path / "left.1").exists()
    assert not (tmp_path / "killed").exists()
    assert "--gpus" not in (tmp_path / "words").read_text().split()
    assert ", 2 nodes, no GPU asked for, restart 0\n" in err and f" ended with {ended[0]}\n" in err


def test_a_signal_before_the_nodes_are_started_is_passed_on(slurm: Path, tmp_path: Path) -> None:
    """While the environment is being set up, which may take long on a network disk."""
    (tmp_path / "env").write_text("kill -USR1 $$\n")
    assert told(slurm, tmp_path, None, SBTOOLS_ENV="env")[:2] == AGAIN


def test_usr1_before_a_node_can_listen_is_a_requeue(slurm: Path, tmp_path: Path) -> None:
    """The interpreter of the first one is just being started; scancel comes too early once."""
    (tmp_path / "deaf").touch()
    struck = "[ $node = 0 ] && trap - USR1 && kill -USR1 $$; exit 75"
    assert told(slurm, tmp_path, signal.SIGUSR1, ON_USR1=struck)[:2] == AGAIN
    assert len((tmp_path / "scancel.log").read_text().splitlines()) >= 2


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        ("exit 2", "exit 2", 2),
        ("exit 2", "", 2),
        ("", "exit 5", 5),
        ("", "kill -9 $$", 137),
        ("", f"{BOTH}; kill -9 $PPID; kill -9 $$", 137),
        ("kill -USR1 $$", "exit 75", 75),
    ],
)
def test_a_node_that_fails_takes_the_others_along_with_its_own_status(
    first: str, second: str, code: int, slurm: Path, tmp_path: Path
) -> None:
    ended = told(slurm, tmp_path, None, END_0=first, END_1=second)
    assert ended[:2] == (AGAIN if code == 75 else (code, None)), ended
    assert not list(tmp_path.glob("bg50.status*"))


def test_a_job_without_progress_is_put_back_so_often_and_no_more(
    slurm: Path, tmp_path: Path
) -> None:
    env = {"MAX_REQUEUES": "1", "DONE": "75"}
    assert told(slurm, tmp_path, None, **env)[:2] == AGAIN
    (tmp_path / "bg50").mkdir()
    (tmp_path / "bg50" / "last.step").write_text("7\n")
    assert [told(slurm, tmp_path, None, **env)[:2] for _ in range(2)] == [AGAIN, AGAIN]
    code, called, err = told(slurm, tmp_path, None, **env)
    assert (code, called) == (1, None)
    assert "not put back: 2 times in a row the job ended at step 7" in err
    another = told(slurm, tmp_path, None, **env, SLURM_JOB_ID="72")
    assert another[:2] == (75, "requeue 72\n")


def test_the_batch_script_asks_slurm_for_what_it_needs() -> None:
    asked = re.findall(r"^#SBATCH (.*)$", SBATCH.read_text("utf-8"), flags=re.M)
    wanted = {"--signal=B:USR1@300", "--requeue", "--open-mode=append", "--ntasks-per-node=1"}
    assert wanted <= set(asked) and os.access(TRAIN, os.X_OK)
