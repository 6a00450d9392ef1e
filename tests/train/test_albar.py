"""Training by ALBAR: with weights of 0, stopped, and with a network that has batch norm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.faking import Stop, make_arrays, make_run, registered, settings, train
from tests.train.toy_runs import require_identical, state

ZERO = {"w_adv": 0.0, "w_ent": 0.0, "w_gp": 0.0}
MODELS: dict[str, dict[str, Any]] = {
    "fake": {"model_settings": {"dropout": 0.2}, "objective": "infonce"},
    "linear": {"model_settings": {"backbone": "conv3d", "size": 8, "seed": 3}, "frames": 4,
               "objective": "class_ce"},
}  # fmt: skip


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("clips")
    return folder, make_arrays(folder, 6)


def ended(clips: tuple[Path, list[Any]], run: Path, model: str, stop: int = 0, **more: Any) -> Any:
    """The last checkpoint of a run, which is stopped at a step and taken up again."""
    asked = {"model": model, "epochs": 2, "batch": 3, "lr": 0.01, **MODELS[model], **more}
    with registered():
        folder = make_run(run, clips[1], settings(**asked))
        if stop:
            assert train(folder, clips[0], Stop(stop))[0] == "term"
        assert train(folder, clips[0])[0] == "done"
    return state(folder)


@pytest.mark.parametrize("model", MODELS)
def test_weights_of_0_are_plain_training_bit_for_bit(
    clips: tuple[Path, list[Any]], model: str, tmp_path: Path
) -> None:
    plain = ended(clips, tmp_path / "plain", model)
    zero = ended(clips, tmp_path / "zero", model, method="albar", method_settings=ZERO)
    require_identical(zero, plain)
    less = {**ZERO, "w_ent": 1e-3}
    other = ended(clips, tmp_path / "less", model, method="albar", method_settings=less)
    assert any(not torch.equal(other[key], plain[key]) for key in plain)


@pytest.mark.parametrize("model", MODELS)
def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    clips: tuple[Path, list[Any]], model: str, tmp_path: Path
) -> None:
    asked = {"method": "albar", "method_settings": {"frame": "random"}}
    whole = ended(clips, tmp_path / "whole", model, **asked)
    require_identical(ended(clips, tmp_path / "stopped", model, 3, **asked), whole)
