"""Signals to every process of a training: at any moment a checkpoint, and the same weights."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sbtools.train.checkpoint import read
from tests.cli.running import SBTOOLS, environment, sbtools
from tests.making import make_clips
from tests.train.strike import strike, tree
from tests.train.test_launch import gone, until

TRAIN = ["train", "--set-model", "arch=tiny", "--lr", "1e-3", "--warmup", "0", "--batch", "2"]
TRAIN += ["--frames", "4", "--save-every", "1", "--epochs", "2", "--val", "val.jsonl"]
ENV = environment({"OMP_NUM_THREADS": "1"})
CODES = {signal.SIGTERM: 143, signal.SIGUSR1: 75}


def words(ranks: int, workers: int) -> list[str]:
    return [*TRAIN, "--ranks", str(ranks), "--workers", str(workers), "-o", "run", "clips.jsonl"]


def weights(run: Path) -> dict[str, torch.Tensor]:
    state, _ = read(str(run / "last.pt"))
    return dict(state["model"])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, unhurried: None) -> Path:
    """Clips, clips to validate on, and what one and two ranks make of them uninterrupted."""
    folder = tmp_path_factory.mktemp("struck")
    for name, count in (("clips", 6), ("val", 16)):
        make_clips(folder / name, count, frames=12)
        listed = sbtools("index", name, cwd=folder).stdout.splitlines()
        records = [json.loads(line) for line in listed]
        lines = [json.dumps({**record, "id": f"{name} {record['id']}"}) for record in records]
        (folder / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines))
    for ranks in (1, 2):
        done = sbtools(*words(ranks, 0), cwd=folder, env=ENV, timeout=600)
        assert done.returncode == 0, done.stderr
        (folder / "run").rename(folder / f"whole{ranks}")
    return folder


def at_start(run: Path, pid: int) -> bool:
    return len(tree(pid)) > 1


def early(run: Path, pid: int) -> bool:
    return len(tree(pid)) > 1 and (run / "run.json").exists()


def middle(run: Path, pid: int) -> bool:
    return (run / "last.pt").exists()


def validating(run: Path, pid: int) -> bool:
    """The checkpoint before an epoch's last step is there; the next comes after validation."""
    path = run / "last.step"
    return path.exists() and path.read_text() == "2\n"


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize("moment", [at_start, early, middle, validating])
@pytest.mark.parametrize(("ranks", "workers"), [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)])
def test_signals_to_every_process_leave_a_checkpoint(
    ranks: int, workers: int, moment: Callable[[Path, int], bool], number: signal.Signals,
    made: Path, tmp_path: Path,
) -> None:  # fmt: skip
    """Sent five times, a moment apart, as impatient people and schedulers do."""
    for name in ("clips", "val", "clips.jsonl", "val.jsonl"):
        (tmp_path / name).symlink_to(made / name)
    run, asked = tmp_path / "run", words(ranks, workers)
    with subprocess.Popen(
        [*SBTOOLS, *asked], cwd=tmp_path, env=ENV, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        struck: list[int] = []
        try:
            assert until(lambda: moment(run, process.pid), 300)
            for _ in range(5):
                struck += strike(process.pid, number)
                time.sleep(0.1)
            _, err = process.communicate(timeout=300)
        finally:
            process.kill()
    assert process.returncode in (CODES[number], 0), err
    assert (run / "last.pt").exists() and all(map(gone, struck)), err
    again = sbtools(*asked, cwd=tmp_path, env=ENV, timeout=600)
    assert again.returncode == 0, again.stderr
    one, two = weights(made / f"whole{ranks}"), weights(run)
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
    shutil.rmtree(run)
