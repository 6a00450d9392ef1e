"""Model linear in a training: what is asked for, the head alone, started from a run, resumed."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sbtools.errors import UsageError
from sbtools.evaluate.evaluated_model import of_run
from sbtools.methods import METHODS
from sbtools.methods.base import Method
from sbtools.models.base import Encoded
from sbtools.train import load
from sbtools.train.plan import TrainFlags, parameters, settle, tell, with_weights
from sbtools.train.settings import Settings
from sbtools.train.start import new_model, run_of
from tests.models.linear_made import huggingface
from tests.train.faking import CLASSES, Stop, make_arrays, make_run, settings, train

SMALL = {"backbone": "conv3d", "size": 8, "seed": 3}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    folder = tmp_path_factory.mktemp("clips")
    return folder, make_arrays(folder, 6)


def asked(**changed: Any) -> Settings:
    common = {"model": "linear", "model_settings": SMALL, "objective": "class_ce", "frames": 4}
    return settings(**{**common, "batch": 3, "epochs": 2, "lr": 0.01, **changed})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, clips: tuple[Path, list[Any]]) -> str:
    """A run to its end."""
    folder = make_run(tmp_path_factory.mktemp("runs") / "first", clips[1], asked())
    assert train(folder, clips[0])[0] == "done"
    return folder


def weights_of(folder: str) -> dict[str, torch.Tensor]:
    return load(folder).model.state_dict()


def same(one: Any, other: Any, start: str = "") -> bool:
    names = [name for name in one if name.startswith(start)]
    assert names
    return all(torch.equal(one[name], other[name]) for name in names)


@pytest.mark.parametrize("freeze", [False, True])
def test_a_run_that_was_stopped_goes_on_alike(
    freeze: bool, clips: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    wanted = asked(freeze=freeze)
    whole, halved = (make_run(tmp_path / name, clips[1], wanted) for name in ("whole", "halved"))
    assert train(whole, clips[0])[0] == "done"
    assert train(halved, clips[0], Stop(4))[0] == "term"
    assert train(halved, clips[0])[0] == "done"
    start, end = new_model(wanted).state_dict(), weights_of(whole)
    assert same(end, weights_of(halved))
    assert same(start, end, "network.") == freeze
    assert not same(start, end, "head.")
    assert of_run(whole).model.classes == list(CLASSES)


def test_the_head_alone_is_counted(run: str) -> None:
    known = {"records": {"clips": 6, "failed": 0}, "frame_source": {"video": 6}}
    lines = list(tell(asked(freeze=True), known, 1, "CPU rank"))
    assert "linear over conv3d (random weights, the head alone), method none" in " ".join(lines)
    told = parameters(asked(freeze=True))
    assert told.endswith(f" {256 * 3 + 3} of them trained")


def test_a_run_starts_from_another(run: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    held = weights_of(run)
    for weights in (run, f"{run}/last.pt"):
        assert same(held, new_model(asked(weights=weights)).state_dict())
    assert "random" not in caplog.text
    other = new_model(asked(weights=run, classes=(*CLASSES, "more"))).state_dict()
    assert same({k: v for k, v in held.items() if k.startswith("network.")}, other)
    assert len(other["head.weight"]) == 4 and "the head starts from random weights" in caplog.text
    digest = with_weights(asked(weights=run)).weights_sha256
    assert digest == load(run).sha256


def test_what_no_run_can_start_from(
    run: str, clips: tuple[Path, list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = {**SMALL, "backbone": "frame_cnn"}
    with pytest.raises(UsageError, match=r"is a run of linear conv3d, not of frame_cnn"):
        new_model(asked(weights=run, model_settings=frames))
    with pytest.raises(UsageError, match="is a run, and model vificlip starts from"):
        run_of(Settings("vificlip", weights=run))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "run.json").write_text(Path(run, "run.json").read_text())
    with pytest.raises(UsageError, match=r"cannot read .*last\.pt"):
        run_of(asked(weights=str(tmp_path / "empty")))
    monkeypatch.setitem(METHODS, "halves", f"{__name__}:Halves")
    changed = make_run(tmp_path / "changed", clips[1], asked(method="halves", epochs=1))
    assert train(changed, clips[0])[0] == "done"
    with pytest.raises(UsageError, match="method halves changes what the last layer") as fault:
        run_of(asked(weights=changed))
    assert "\n" not in str(fault.value)
    best = json.loads(Path(run, "run.json").read_text())
    best["settings"]["select"] = "val"
    (tmp_path / "empty" / "run.json").write_text(json.dumps(best))
    with pytest.raises(UsageError, match=r"cannot read .*best\.pt"):
        run_of(asked(weights=str(tmp_path / "empty")))


class Halves(Method):
    """Changes what the last layer sees."""

    name = "halves"

    def represent(self, encoded: Encoded) -> Encoded:
        return replace(encoded, features=encoded.features / 2)


def settled(model: str, *pairs: str, **values: Any) -> Settings:
    return settle(TrainFlags(model, model_pairs=pairs, values=values))[0]


def test_what_evaluation_opens_is_a_backbone(tmp_path: Path) -> None:
    plain = settled("torchvision:r3d_18")
    assert (plain.model, plain.objective, plain.frames) == ("linear", "class_ce", 16)
    assert plain.model_settings == {"seed": 0, "backbone": "torchvision:r3d_18"}
    assert plain == settled("linear", "backbone=r3d_18")
    assert settled("torchvision:resnet18", frames=3).frames == 3
    assert settled("linear", "backbone=conv3d").frames == 8
    huggingface("VJEPA2", tmp_path)
    assert settled(f"hf:{tmp_path}").frames == 4
    where = f"{__name__}:own"
    given = settled(where, "width=4", "size=8", frames=4)
    assert given.model_settings == {
        "seed": 0, "backbone": where, "size": "8", "settings": {"width": "4"},
    }  # fmt: skip
    model = new_model(replace(given, classes=("a", "b")))
    assert model.recipe.size == 8 and model.frames == 4


def test_a_run_goes_on_when_its_folder_is_gone(
    clips: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    huggingface("VideoMAE", tmp_path / "it")
    what = TrainFlags(f"hf:{tmp_path / 'it'}", values={"epochs": 2, "batch": 3})
    first = replace(settle(what)[0], classes=CLASSES)
    folder = make_run(tmp_path / "run", clips[1], first)
    assert train(folder, clips[0], Stop(4))[0] == "term"
    shutil.rmtree(tmp_path / "it")
    assert replace(settle(what, first.describe())[0], classes=CLASSES) == first
    other = replace(what, model_pairs=["crop=centre"])
    with pytest.raises(UsageError, match="it has no config"):
        settle(other, first.describe())
    assert train(folder, clips[0])[0] == "done"
    assert load(folder).model.frames == 4


def own(width: int = 3) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(width), nn.Tanh())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("linear",), "needs a backbone"),
        (("torchvision:r3d_19",), "no backbone 'r3d_19'"),
        (("torchvision:r3d_18", "backbone=conv3d"), "is a backbone by itself"),
        (("hf:no/such/folder",), "no model of transformers"),
    ],
)
def test_what_is_no_backbone_is_said_before_anything_is_read(
    given: tuple[str, ...], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        settled(*given)


def test_only_a_model_with_a_head_is_frozen() -> None:
    with pytest.raises(UsageError, match="--freeze trains the head alone, and model vificlip has"):
        settled("vificlip", freeze=True)
    assert settled("linear", "backbone=conv3d", freeze=True).freeze
    with pytest.raises(UsageError, match="requires what model linear does not have: cosines"):
        settle(TrainFlags("linear", objective="infonce", model_pairs=["backbone=conv3d"]))


def test_settings_of_before_have_no_freeze() -> None:
    told = asked().describe()
    del told["freeze"]
    assert Settings.restore(told) == asked()
