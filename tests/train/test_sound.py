"""Checkpoints that are signed rightly and hold what ours do not: damaged, in one line."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from sbtools.errors import DamagedError, SbtoolsError, UsageError
from sbtools.train import load
from sbtools.train.group import Ranks
from sbtools.train.training_state import restore_or_init
from tests.train.faking import make_arrays, make_run, registered, settings, train

WRONG: tuple[Any, ...] = (7, "x", [1, "x"], torch.zeros(2, 3))
PLACES = (
    "settings", "spec", "model", "method", "optimizer", "progress", "ema", "progress.tally.losses",
    *(f"settings.{name}" for name in (
        "model", "method_settings", "classes", "frames", "lr", "betas", "ema")),
    *(f"spec.{name}" for name in ("name", "classes", "options")),
    *(f"progress.{name}" for name in ("epoch", "place", "step", "best", "lines", "tally")),
    "ema.model", "ema.updates", "optimizer.state", "optimizer.param_groups", "optimizer.state.0",
    "optimizer.state.0.exp_avg", "optimizer.param_groups.0.betas", "progress.lines.0",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run of one epoch, with averaged weights."""
    folder = tmp_path_factory.mktemp("run")
    with registered():
        made = make_run(
            folder / "run", make_arrays(folder, 4), settings(epochs=1, ema=0.5, method="two")
        )
        assert train(made, folder)[0] == "done"
        yield folder


def put(state: Any, place: str, value: Any) -> None:
    *path, last = (int(name) if name.isdigit() else name for name in place.split("."))
    for name in path:
        state = state[name]
    state[last] = value


def resigned(path: Path, state: Any) -> None:
    torch.save(state, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    Path(f"{path}.sha256").write_text(f"{digest}  {path.name}\n")


def outcome(folder: Path, root: Path, which: str) -> Exception | None:
    """What taking its weights, or going on with it, comes to."""
    try:
        if which == "train":
            restore_or_init(str(folder), Ranks(0, 1, torch.device("cpu")), str(root), None)
        else:
            load(str(folder), which)
    except Exception as error:
        return error
    return None


def test_as_it_is_it_is_taken(run: Path) -> None:
    assert [outcome(run / "run", run, which) for which in ("last", "ema", "train")] == [None] * 3


@pytest.mark.parametrize("place", PLACES)
def test_a_part_of_another_type_is_damage(place: str, run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run / "run", folder)
    whole = folder / "last.pt"
    data = whole.read_bytes()
    refused = 0
    for wrong in WRONG:
        whole.write_bytes(data)
        state = torch.load(whole, weights_only=True)
        put(state, place, wrong)
        resigned(whole, state)
        for which in ("ema", "train"):
            error = outcome(folder, run, which)
            assert error is None or isinstance(error, SbtoolsError), (wrong, which, error)
            assert "\n" not in str(error)
            told = isinstance(error, DamagedError)
            assert error is None or told or isinstance(error, UsageError), (wrong, which, error)
            refused += told
    assert refused >= 2


def test_a_part_that_is_missing_is_damage(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run / "run", folder)
    whole = torch.load(folder / "last.pt", weights_only=True)
    for name in ("settings", "spec", "model", "method", "optimizer", "progress"):
        resigned(folder / "last.pt", {key: value for key, value in whole.items() if key != name})
        with pytest.raises(DamagedError, match=f"'{name}' is missing"):
            load(str(folder))
