"""ActionCLIP against figures of its official code: actionclip.json."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from sbtools.errors import UsageError
from tests.official import figures, files, ours, seeded

pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
FIGURES = figures.read("actionclip")
CASES = FIGURES["cases"]


def saved(folder: Path, head: str) -> Path:
    return files.actionclip(folder / "last_model.pt", CASES[head], FIGURES["state"])


def made(folder: Path, head: str, ours_head: str | None = None) -> Any:
    """The model that reads the checkpoint of an official head, by that of ours or another."""
    file = saved(folder, head)
    asked = ours_head or ours.HEADS.get(head, head)
    return ours.build("actionclip", file, CASES[head]["input"], head=asked)


@pytest.mark.parametrize("head", CASES)
def test_features_scores_loss_and_gradients(head: str, tmp_path: Path) -> None:
    given, expected = CASES[head]["input"], CASES[head]["expected"]
    model = made(tmp_path, head)
    found = ours.features(model, given)
    found["scores"] = ours.scores(model, given)
    found["kl"] = ours.step(model, given, "kl")
    kept = expected["kl"]["gradients"]
    gradients = found["kl"]["gradients"].items()
    found["kl"]["gradients"] = {
        name: grad for name, grad in gradients if name in kept or name.startswith("head.")
    }
    figures.check(found, {name: told for name, told in expected.items() if name != "terms"})


def test_texts(tmp_path: Path) -> None:
    given, expected = FIGURES["prompts"]["input"], FIGURES["prompts"]["expected"]
    model = made(tmp_path, "meanP")
    assert list(model.classes) == given["classes"]
    figures.check({"tokens": ours.prompt_tokens(model)}, expected)


@pytest.mark.parametrize("kind", ["openai", "actionclip"])
def test_weights_in_float32_are_rounded_as_the_official_code_does(
    kind: str, tmp_path: Path
) -> None:
    """When it starts from OpenAI's and, as train.py and test.py do on a GPU, from its own."""
    given, expected = FIGURES["single"]["input"], FIGURES["single"]["expected"]
    if kind == "openai":
        file = files.openai(tmp_path / "clip.pt", FIGURES["state"], given)
        model = ours.build("actionclip", file, given)
    else:
        case = {"input": given | {"head": "meanP"}, "fusion": {}}
        file = files.actionclip(tmp_path / "last_model.pt", case, FIGURES["state"])
        model = ours.build("actionclip", file, given, head="meanP")
    found = ours.weights(model)
    towers = {name: w for name, w in found.items() if not name.startswith("head.")}
    figures.check({"weights": towers}, expected)


def test_the_mended_convolution_is_the_official_one_along_time(tmp_path: Path) -> None:
    """It reads memory of [B, T, D] as [B, D, T]; it was given memory that it reads rightly."""
    given, expected = FIGURES["mended"]["input"], FIGURES["mended"]["expected"]
    features = seeded.video(given["seed"], given["features"])
    mended = ours.temporal(made(tmp_path, "Conv_1D", "Conv_1D"), features)
    figures.check({"features": mended}, expected)
    official = ours.temporal(made(tmp_path, "Conv_1D"), features)
    assert (official - mended).abs().max() > 0.01


@pytest.mark.parametrize("head", CASES)
def test_heads_start_alike(head: str, tmp_path: Path) -> None:
    """Mean, deviation and largest value of every weight: the draws are others."""
    given = CASES["meanP"]["input"]
    file = files.openai(tmp_path / "clip.pt", FIGURES["state"], given)
    model = ours.build("actionclip", file, given, head=ours.HEADS.get(head, head))
    start, seen = FIGURES["start"][head], 0
    for name, weight in ours.weights(model).items():
        mean, deviation, largest = start.get(name.removeprefix("head."), [None] * 3)
        if name.startswith("head.") and mean is not None:
            slack = 6 * deviation / weight.numel() ** 0.5 + 1e-7
            assert weight.mean().item() == pytest.approx(mean, abs=slack), name
            assert weight.std().item() == pytest.approx(deviation, abs=slack), name
            assert weight.abs().max().item() == pytest.approx(largest, rel=0.6), name
            seen += 1
    unused = {"frame_position_embeddings.weight"} if head != "Transf" else set()
    assert seen == len(start.keys() - unused)


def test_learning_rates(tmp_path: Path) -> None:
    figures.check(ours.learning_rates(made(tmp_path, "LSTM")), FIGURES["rates"]["expected"])


@pytest.mark.parametrize(("head", "other"), [("Conv_1D", "LSTM"), ("Transf", "meanP")])
def test_checkpoints_of_other_heads_are_refused(
    head: str, other: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And the mended Conv_1D is told from the one that a checkpoint was trained with."""
    with caplog.at_level(logging.WARNING):
        made(tmp_path, head, head)
    assert ("mixes up two axes" in caplog.text) == (head == "Conv_1D")
    with pytest.raises(UsageError, match="the checkpoint's temporal head is another one"):
        made(tmp_path, head, other)


def test_the_checkpoints_made_here_have_the_official_names(tmp_path: Path) -> None:
    import torch

    held = torch.load(saved(tmp_path, "LSTM"), weights_only=True)
    told = FIGURES["saved"]
    assert list(held) == told["keys"] and told["towers"] == []
    assert list(held["fusion_model_state_dict"]) == told["head"]
