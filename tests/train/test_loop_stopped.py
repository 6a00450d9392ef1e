"""A run that is stopped, killed or damaged ends as if nothing had been."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sbtools.errors import DamagedError, OutputError, SbtoolsError
from sbtools.train.checkpoint import Checkpoints, read
from sbtools.train.loop import RankOptions, run_rank
from tests.train.faking import (
    Stop,
    make_arrays,
    make_run,
    registered,
    settings,
    train,
)
from tests.train.runs import CLIPS, EACH, FULL, STEPS, require_same_end, steady


@pytest.fixture(autouse=True)
def fakes() -> Any:
    torch.set_num_threads(1)
    with registered():
        yield


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any], list[Any]]:
    """A folder of arrays; records to train on, and held-out ones."""
    folder = tmp_path_factory.mktemp("clips")
    return folder, make_arrays(folder, CLIPS), make_arrays(folder, 7, seed=1)


@pytest.fixture(scope="module")
def whole(
    clips: tuple[Path, list[Any], list[Any]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, list[Mapping[str, Any]]]:
    """A run that nothing disturbed, and its steps."""
    with registered():
        run = make_run(tmp_path_factory.mktemp("whole") / "run", clips[1], FULL, clips[2])
        word, steps = train(run, clips[0])
    assert word == "done" and [s["step"] for s in steps] == list(range(1, STEPS + 1))
    return run, steps


@pytest.mark.parametrize("seed", range(4))
def test_stopped_at_random_steps_ends_as_if_it_had_not_been(
    tmp_path: Path, clips: Any, whole: Any, seed: int
) -> None:
    """Twice stopped: losses of every step, weights, averages and lines are the same."""
    rng = np.random.default_rng(seed)
    run = make_run(tmp_path / "run", clips[1], FULL, clips[2])
    for word in ("term", "usr1"):
        ask = Stop(1 + int(rng.integers(STEPS // 2)), word)
        assert train(run, clips[0], ask)[0] == word
    found, _ = train(run, clips[0])
    assert found == "done"
    require_same_end(run, whole[0])


def test_steps_after_a_stop_have_the_losses_they_had(
    tmp_path: Path, clips: Any, whole: Any
) -> None:
    run = make_run(tmp_path / "run", clips[1], FULL, clips[2])
    word, first = train(run, clips[0], Stop(EACH + 2 + 2))
    _, rest = train(run, clips[0])
    assert word == "term" and len(first) == EACH + 1
    assert [steady(s) for s in first + rest] == [steady(s) for s in whole[1]]


@pytest.mark.parametrize("at", [EACH + 1, EACH + 2])
def test_stopped_while_it_validates(tmp_path: Path, clips: Any, whole: Any, at: int) -> None:
    """The epoch's steps are not done again."""
    run = make_run(tmp_path / "run", clips[1], FULL, clips[2])
    assert train(run, clips[0], Stop(at))[0] == "term"
    progress = read(f"{run}/last.pt")[0]["progress"]
    assert (progress["epoch"], progress["place"], progress["step"]) == (0, EACH, EACH)
    _, rest = train(run, clips[0])
    assert [s["step"] for s in rest] == list(range(EACH + 1, STEPS + 1))
    require_same_end(run, whole[0])


class Died(BaseException):
    pass


@pytest.mark.parametrize("at", [3, 6, 11])
def test_killed_loses_no_more_than_an_interval(
    tmp_path: Path, clips: Any, whole: Any, at: int
) -> None:
    run = make_run(tmp_path / "run", clips[1], FULL, clips[2])

    def die(told: Mapping[str, Any]) -> None:
        if told["step"] == at:
            raise Died

    with pytest.raises(Died):
        run_rank(
            run, 0, 1, "cpu", Stop(), RankOptions(root=str(clips[0]), save_every=2, step_line=die)
        )
    _, rest = train(run, clips[0], save_every=2)
    assert at - rest[0]["step"] <= 1
    assert [steady(s) for s in rest] == [steady(s) for s in whole[1][rest[0]["step"] - 1 :]]
    require_same_end(run, whole[0])


@pytest.mark.parametrize("how", ["cut", "flipped"])
def test_a_damaged_checkpoint_costs_an_interval(
    tmp_path: Path, clips: Any, whole: Any, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run(tmp_path / "run", clips[1], FULL, clips[2])
    train(run, clips[0], Stop(9), save_every=1)
    path = Path(run, "last.pt")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data[: len(data) // 3] if how == "cut" else data)
    assert train(run, clips[0])[0] == "done"
    assert "last.pt is damaged" in caplog.text
    require_same_end(run, whole[0])


def test_all_damaged(tmp_path: Path, clips: Any) -> None:
    run = make_run(tmp_path / "run", clips[1], settings())
    train(run, clips[0], Stop(3), save_every=1)
    for name in ("last.pt", "previous.pt"):
        os.truncate(os.path.join(run, name), 10)
    with pytest.raises(DamagedError, match="all checkpoints in"):
        train(run, clips[0])


def test_a_full_disk_keeps_what_was_good(
    tmp_path: Path, clips: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from sbtools.train import checkpoint

    run = make_run(tmp_path / "run", clips[1], settings())
    train(run, clips[0], Stop(3))

    def full(path: str, data: bytes) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "write_synced", full)
    with pytest.raises(OutputError, match="No space left"):
        train(run, clips[0], save_every=1)
    monkeypatch.undo()
    register = Checkpoints(run).newest()
    assert register and register[1]["progress"]["step"] == 2


def test_a_worker_that_dies_leaves_the_checkpoint(tmp_path: Path, clips: Any) -> None:
    """Wherever torch notices it."""
    run = make_run(tmp_path / "run", clips[1], settings(epochs=50))

    def kill(told: Mapping[str, Any]) -> None:
        if told["step"] == 2:
            for worker in multiprocessing.active_children():
                worker.kill()

    options = RankOptions(root=str(clips[0]), workers=1, save_every=1, timeout=60, step_line=kill)
    with pytest.raises(SbtoolsError, match="a worker that loads clips died"):
        run_rank(run, 0, 1, "cpu", Stop(), options)
    assert read(f"{run}/last.pt")[0]["progress"]["step"] >= 1
    assert not multiprocessing.active_children()
