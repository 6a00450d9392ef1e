"""examples/train.sh and examples/slurm/train.sbatch, as a user's shell and Slurm run them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.running import lines
from tests.test_examples import bash, executable, path, surroundings

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
def slurm(path: Path, tmp_path: Path) -> Path:
    """PATH with an srun, an scancel and an sbtools that say how they are called."""
    executable(
        path / "srun",
        f'echo "$@" > {tmp_path}/srun.log; while [[ $1 == --* ]]; do shift; done; "$@" &\n'
        f"echo $! > {tmp_path}/pid; wait $!",
    )
    executable(
        path / "scancel",
        f'echo "$@" >> {tmp_path}/scancel.log; kill -"${{1#--signal=}}" $(cat {tmp_path}/pid)',
    )
    (path / "sbtools").unlink()
    executable(
        path / "sbtools",
        f"trap 'exit 75' USR1; trap 'exit 143' TERM; printf '%s\\n' \"$@\" > {tmp_path}/words\n"
        'while [ -z "${DONE:-}" ]; do sleep 0.05; done; echo \'{"epoch": 1}\'; exit $DONE',
    )
    return path


@pytest.mark.parametrize("code", [0, 5])
def test_the_batch_script_starts_one_process_a_node(code: int, slurm: Path, tmp_path: Path) -> None:
    env = {**JOB, "WEIGHTS": "w.pt", "DONE": str(code)}
    words = ["masks.jsonl", "bg50", "--set", "ratio=1:1 "]
    done = bash(SBATCH, *words, cwd=tmp_path, path=slurm, env=env)
    assert done.returncode == code, done.stderr
    assert (tmp_path / "words").read_text().split("\n")[:-1] == [
        "train", "--nodes", "2", "--gpus", "4", "--weights", "w.pt", "--set", "ratio=1:1 ",
        "-o", "bg50", "masks.jsonl",
    ]  # fmt: skip
    asked = (tmp_path / "srun.log").read_text().split()
    assert asked[:4] == ["--nodes=2", "--ntasks=2", "--ntasks-per-node=1", "--kill-on-bad-exit=1"]
    assert (tmp_path / "bg50.jsonl").read_text() == '{"epoch": 1}\n'
    assert not (tmp_path / "scontrol.log").exists()


@pytest.mark.parametrize(
    ("number", "code", "called"),
    [(signal.SIGUSR1, 75, "requeue 71\n"), (signal.SIGTERM, 143, None)],
)
def test_signals_reach_the_step_and_75_is_requeued(
    number: int, code: int, called: str | None, slurm: Path, tmp_path: Path
) -> None:
    env = surroundings(slurm, {**JOB, "SLURM_GPUS_ON_NODE": "0"})
    with subprocess.Popen(
        ["bash", SBATCH, "masks.jsonl", "bg50"], cwd=tmp_path, env=env
    ) as process:
        end = time.monotonic() + 20
        while not (tmp_path / "words").exists() and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(20) == code
    name = signal.Signals(number).name.removeprefix("SIG")
    assert (tmp_path / "scancel.log").read_text() == f"--signal={name} 71.0\n"
    log = tmp_path / "scontrol.log"
    assert (log.read_text() if log.exists() else None) == called
    assert "--gpus" not in (tmp_path / "words").read_text().split()


def test_the_batch_script_asks_slurm_for_what_it_needs() -> None:
    asked = re.findall(r"^#SBATCH (.*)$", SBATCH.read_text("utf-8"), flags=re.M)
    wanted = {"--signal=B:USR1@300", "--requeue", "--open-mode=append", "--ntasks-per-node=1"}
    assert wanted <= set(asked) and os.access(TRAIN, os.X_OK)
