"""X-CLIP and dual encoders of transformers in a training: asked for, stopped, resumed, judged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from sbtools.cli.process import call
from sbtools.errors import UsageError
from sbtools.evaluate.evaluated_model import of_model, of_run
from sbtools.train import load
from sbtools.train.plan import TrainFlags, settle, with_weights
from sbtools.train.settings import Settings
from sbtools.train.start import new_model, run_of
from tests.models.hf_made import dual_folder, xclip_folder
from tests.train.faking import CLASSES, Stop, make_arrays, make_run, train

FOLDERS: dict[str, Callable[[Path], Any]] = {
    "xclip": xclip_folder,
    "dual-encoder": lambda folder: dual_folder("siglip", folder),
}
VALUES = {"epochs": 2, "batch": 3, "lr": 1e-3, "warmup": 0.0, "frames": 4}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    folder = tmp_path_factory.mktemp("clips")
    return folder, make_arrays(folder, 6)


@pytest.fixture(scope="module", params=FOLDERS)
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory,
    clips: tuple[Path, list[Any]],
) -> tuple[str, Settings, str]:  # fmt: skip
    """The model, its settings, and a run to its end, whose folder of weights is gone by now."""
    home = tmp_path_factory.mktemp(request.param)
    FOLDERS[request.param](home / "it")
    asked = TrainFlags(f"hf:{home / 'it'}", values=VALUES)
    wanted = with_weights(replace(settle(asked)[0], classes=CLASSES))
    run = make_run(home / "run", clips[1], wanted)
    assert train(run, clips[0])[0] == "done"
    halved = make_run(home / "halved", clips[1], wanted)
    assert train(halved, clips[0], Stop(4))[0] == "term"
    start = new_model(wanted).state_dict()
    shutil.rmtree(home / "it")
    assert with_weights(replace(settle(asked, wanted.describe())[0], classes=CLASSES), wanted) == (
        wanted
    )
    assert train(halved, clips[0])[0] == "done"
    ends = [load(folder).model.state_dict() for folder in (run, halved)]
    assert all(ends[0][name].equal(ends[1][name]) for name in start)
    assert sum(not start[name].equal(ends[0][name]) for name in start) > len(start) / 3
    return request.param, wanted, run


def test_the_model_is_recognised_by_its_folder(tmp_path: Path) -> None:
    for name, make in FOLDERS.items():
        make(tmp_path / name)
        found = settle(TrainFlags(f"hf:{tmp_path / name}"))[0]
        assert (found.model, found.weights) == (name, f"hf:{tmp_path / name}")
        named = settle(TrainFlags(name, values={"weights": str(tmp_path / name)}))[0]
        assert replace(named, weights=found.weights) == found
        assert found.frames == (4 if name == "xclip" else 8)
        digest = with_weights(found).weights_sha256
        assert digest and with_weights(named).weights_sha256 == digest
        with pytest.raises(UsageError, match=f"leave --weights out, or --model {name}"):
            settle(TrainFlags(f"hf:{tmp_path / name}", values={"weights": "other"}))
    weights = tmp_path / "xclip" / "model.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    moved = with_weights(settle(TrainFlags(f"hf:{tmp_path / 'xclip'}"))[0])
    weights.unlink()
    with pytest.raises(UsageError, match=r"has no pytorch_model\.bin"):
        with_weights(replace(moved, weights_sha256=None))
    with pytest.raises(
        UsageError, match=r"objective infonce requires .* xclip does not have: cosines "
    ):
        settle(TrainFlags(f"hf:{tmp_path / 'xclip'}", objective="infonce"))


def test_a_run_starts_from_another(trained: tuple[str, Settings, str]) -> None:
    name, wanted, run = trained
    held = load(run).model.state_dict()
    for weights in (run, f"{run}/last.pt"):
        begun = replace(wanted, weights=weights, classes=("sit", "wave"))
        made = new_model(begun).state_dict()
        assert all(made[key].equal(held[key]) for key in held)
        assert with_weights(begun).weights_sha256 == load(run).sha256
    other = next(kind for kind in FOLDERS if kind != name)
    with pytest.raises(UsageError, match=f"is a run of {name}, not of {other}"):
        new_model(Settings(other, weights=run, classes=CLASSES, frames=4, model_settings={}))
    if name == "xclip":
        with pytest.raises(UsageError, match="takes 4 frames, not 8: --frames 4"):
            new_model(replace(wanted, weights=run, frames=8))
    assert run_of(replace(wanted, weights=run)) is not None


def test_eval_and_card_judge_the_run(
    trained: tuple[str, Settings, str], clips: tuple[Path, list[Any]], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    name, _, run = trained
    monkeypatch.chdir(clips[0])
    lines = "".join(json.dumps(record) + "\n" for record in clips[1])
    (tmp_path / "clips.jsonl").write_text(lines)
    common = ["--workers", "0", "-q", "--bootstrap", "10"]
    result, page = str(tmp_path / "result.json"), str(tmp_path / "card.html")
    words = [run, str(tmp_path / "clips.jsonl")]
    assert call(["eval", *common, "--views", "plain", "-o", result, *words]) == 0
    assert call(["card", *common, "-o", page, *words]) == 0
    told = json.loads(Path(result).read_text())
    assert told["model"]["name"] == name and told["model"]["frames"] == 4
    assert 0 <= told["views"]["plain"]["top1"]["value"] <= 1
    assert name in Path(page).read_text()
    evaluated = of_run(run)
    evaluated.take_classes(["sit", "jump", "run", "a"], {"sit": "sit ing"})
    seen = torch.zeros(1, 4, 3, 32, 32)
    assert evaluated.predict({"video": seen}, evaluated.model.test_classes()).shape == (1, 4)
    assert evaluated.model.texts[0] == "sit ing"


def test_a_model_that_no_run_holds_is_judged_by_its_name(tmp_path: Path) -> None:
    """With as many frames as the weights see."""
    for name, make in FOLDERS.items():
        make(tmp_path / name)
        seen = of_model(name, list(CLASSES), weights=str(tmp_path / name))
        assert seen.model.frames == (4 if name == "xclip" else 8)
        assert seen.what["weights"] and seen.about["model"]["weights_sha256"]


def test_a_dry_run_tells_the_plan(
    clips: tuple[Path, list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(clips[0])
    xclip_folder(tmp_path / "it")
    lines = "".join(json.dumps(record) + "\n" for record in clips[1])
    (tmp_path / "clips.jsonl").write_text(lines)
    words = ["--weights", str(tmp_path / "it"), "-o", str(tmp_path / "run"), "--dry-run"]
    capfd.readouterr()
    assert call(["train", "--preset", "xclip", "--frames", "4", "--batch", "3", *words,
                 str(tmp_path / "clips.jsonl")]) == 0  # fmt: skip
    told = capfd.readouterr().err
    assert f"xclip ({tmp_path / 'it'}), method none, objective class_ce" in told
    assert "parameters, " in told and not (tmp_path / "run").exists()
    assert call(["train", "--model", "xclip", "--frames", "5", *words,
                 str(tmp_path / "clips.jsonl")]) == 2  # fmt: skip
    assert "takes 4 frames, not 5: --frames 4" in capfd.readouterr().err
