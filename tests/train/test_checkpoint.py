"""Checkpoints: whole or not there, never executed, damage always seen."""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sbtools.errors import DamagedError, OutputError, UsageError
from sbtools.train import checkpoint
from sbtools.train.checkpoint import BEST, LAST, PREVIOUS, Checkpoints, read


def state(step: int) -> dict[str, Any]:
    weights = torch.full((64,), float(step))
    return {"progress": {"step": step, "lines": [{"loss": 0.1}]}, "model": {"w": weights}}


def saved(folder: Path, *steps: int) -> Checkpoints:
    kept = Checkpoints(str(folder))
    for step in steps:
        kept.save(state(step))
    return kept


def step_of(path: Path) -> int:
    return int(read(str(path))[0]["progress"]["step"])


def resign(path: Path) -> None:
    """Name the sum of what the file holds now, as one who means harm would."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    Path(f"{path}.sha256").write_text(f"{digest}  {path.name}\n")


def test_comes_back(tmp_path: Path) -> None:
    told = Checkpoints(str(tmp_path)).save(state(7))
    found, digest = read(str(tmp_path / LAST))
    assert found["progress"] == state(7)["progress"]
    assert torch.equal(found["model"]["w"], state(7)["model"]["w"])
    assert told == digest == hashlib.sha256((tmp_path / LAST).read_bytes()).hexdigest()
    assert (tmp_path / "last.pt.sha256").read_text() == f"{digest}  last.pt\n"


def test_keeps_the_one_before_and_the_best(tmp_path: Path) -> None:
    kept = saved(tmp_path, 1)
    kept.save(state(2), best=True)
    kept.save(state(3))
    kept.save(state(4))
    assert [step_of(tmp_path / name) for name in (LAST, PREVIOUS, BEST)] == [4, 3, 2]
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_nothing_yet(tmp_path: Path) -> None:
    assert Checkpoints(str(tmp_path)).newest() is None
    with pytest.raises(UsageError, match=r"cannot read .*last\.pt: No such file"):
        read(str(tmp_path / LAST))


@pytest.mark.parametrize("part", np.linspace(0, 0.999, 10))
def test_cut(tmp_path: Path, part: float, caplog: pytest.LogCaptureFixture) -> None:
    saved(tmp_path, 1, 2)
    path = tmp_path / LAST
    os.truncate(path, int(path.stat().st_size * part))
    with pytest.raises(DamagedError, match="damaged"):
        read(str(path))
    found = Checkpoints(str(tmp_path)).newest()
    assert found and found[0] == PREVIOUS and found[1]["progress"]["step"] == 1
    assert "last.pt is damaged" in caplog.text


def test_flipped_bits(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    path = tmp_path / LAST
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for bit in rng.choice(8 * len(whole), 200, replace=False):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        with pytest.raises(DamagedError):
            read(str(path))


@pytest.mark.parametrize("sums", [None, "", "0" * 64 + "  last.pt\n", "\xff\n"])
def test_without_its_sum(tmp_path: Path, sums: str | None) -> None:
    saved(tmp_path, 1)
    beside = tmp_path / "last.pt.sha256"
    beside.unlink() if sums is None else beside.write_text(sums, "latin-1")
    with pytest.raises(DamagedError, match=r"or last\.pt\.sha256 is not beside it"):
        read(str(tmp_path / LAST))


def test_none_is_good(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2)
    for name in (LAST, PREVIOUS):
        os.truncate(tmp_path / name, 100)
    with pytest.raises(
        DamagedError, match=r"all checkpoints in .* are damaged: --overwrite"
    ) as caught:
        Checkpoints(str(tmp_path)).newest()
    assert caught.value.exit_code == 5


def test_a_damaged_one_never_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2)
    os.truncate(tmp_path / LAST, 100)
    kept = Checkpoints(str(tmp_path))
    kept.newest()
    kept.save(state(3))
    assert [step_of(tmp_path / name) for name in (LAST, PREVIOUS)] == [3, 1]


class Bomb:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("zipped", [True, False])
def test_bomb_is_refused(tmp_path: Path, zipped: bool) -> None:
    path, marker = tmp_path / LAST, tmp_path / "marker"
    held = {"format": checkpoint.FORMAT, "version": 1, "model": Bomb(marker)}
    torch.save(held, path) if zipped else path.write_bytes(pickle.dumps(held))
    resign(path)
    with pytest.raises(DamagedError, match="is no checkpoint of sbtools train: "):
        read(str(path))
    assert not marker.exists()


def test_strangers(tmp_path: Path) -> None:
    path = tmp_path / LAST
    for held, error, match in [
        ([1], DamagedError, "is no checkpoint of sbtools train"),
        ({"model": {}}, DamagedError, "is no checkpoint of sbtools train"),
        ({"format": checkpoint.FORMAT, "version": 2}, UsageError, "install a newer sbtools"),
    ]:
        torch.save(held, path)
        resign(path)
        with pytest.raises(error, match=match):
            read(str(path))


class Killed(BaseException):
    """Nothing catches it, as nothing catches kill -9."""


def test_killed_at_each_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands there is whole, and the newest is the last that was told, or one newer."""
    for place in range(100):
        folder = tmp_path / str(place)
        folder.mkdir()
        kept = saved(folder, 1)
        left = [place]

        def point(name: str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Killed

        monkeypatch.setattr(checkpoint, "failpoint", point)
        told = 1
        try:
            for told in (2, 3):
                kept.save(state(told), best=True)
        except Killed:
            told -= 1
        monkeypatch.undo()
        whole = {name: step_of(folder / name) for name in os.listdir(folder) if name[-2:] == "pt"}
        found = Checkpoints(str(folder)).newest()
        assert found and found[0] == LAST
        assert whole[LAST] in (told, told + 1), place
        assert whole.get(PREVIOUS, 1) in (whole[LAST], whole[LAST] - 1), place
        shutil.rmtree(folder)
        if told == 3:
            break
    assert place == 2 * (1 + 3 * 2)


def test_a_save_after_one_that_was_killed_leaves_nothing_over(tmp_path: Path) -> None:
    """previous.pt is last.pt under a second name: a rename of one to the other does nothing."""
    kept = saved(tmp_path, 1)
    os.link(tmp_path / LAST, tmp_path / PREVIOUS)
    resign(tmp_path / PREVIOUS)
    kept.save(state(2))
    assert [step_of(tmp_path / name) for name in (LAST, PREVIOUS)] == [2, 1]
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


SAVES = """
import sys
from tests.train.test_checkpoint import saved, Path
kept = saved(Path(sys.argv[1]), 0)
for step in range(1, 10**6):
    kept.save({"progress": {"step": step}, "model": {"w": __import__("torch").zeros(50000)}})
    print(step, flush=True)
"""


def test_killed_at_random(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVES, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout
        last = int(process.stdout.readline())
        time.sleep(rng.uniform(0.01, 0.2))
        process.send_signal(signal.SIGKILL)
        last = int(([str(last), *process.stdout.read().split("\n")[:-1]])[-1])
        process.stdout.close()
        process.wait()
        found = Checkpoints(str(tmp_path)).newest()
        assert found and found[1]["progress"]["step"] >= last


def test_killed_by_the_failpoint(tmp_path: Path) -> None:
    """$SBTOOLS_FAIL works here as it does for stores."""
    environment = {**os.environ, "SBTOOLS_FAIL": "checkpoint_renamed:4"}
    done = subprocess.run([sys.executable, "-c", SAVES, str(tmp_path)], env=environment)
    assert done.returncode == 137
    assert step_of(tmp_path / LAST) == step_of(tmp_path / PREVIOUS) == 1


def test_full_disk(tmp_path: Path) -> None:
    kept = saved(tmp_path, 1, 2)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
    try:
        with pytest.raises(OutputError, match=r"cannot write .*last\.pt: File too large"):
            kept.save(state(3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [step_of(tmp_path / name) for name in (LAST, PREVIOUS)] == [2, 1]
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
    kept.save(state(3))
    assert step_of(tmp_path / LAST) == 3


def test_read_while_it_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that has the old bytes and the new sum looks again."""
    kept = saved(tmp_path, 1)
    plain, waiting = checkpoint._sums, [True]

    def sums(path: str) -> list[str]:
        if waiting.pop() if waiting else False:
            kept.save(state(2))
        return plain(path)

    monkeypatch.setattr(checkpoint, "_sums", sums)
    assert step_of(tmp_path / LAST) == 2


def test_two_damaged_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    saved(tmp_path, 1, 2)
    os.truncate(tmp_path / LAST, 0)
    with caplog.at_level(logging.WARNING, "sbtools"):
        Checkpoints(str(tmp_path)).newest()
    assert len(caplog.records) == 1
