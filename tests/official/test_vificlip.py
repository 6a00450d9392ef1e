"""CLIP and ViFi-CLIP against figures of the official code: vificlip.json, clip.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.official import figures, files, ours, seeded

TOWERS = figures.read("clip")
FIGURES = figures.read("vificlip")
CASES = FIGURES["cases"]
PROMPTED = [name for name in CASES if name.startswith("prompts")]


def started(folder: Path, given: dict[str, Any]) -> Path:
    """The weights that a case starts from, in OpenAI's format."""
    return files.openai(folder / "clip.pt", FIGURES["state"], given)


def made(folder: Path, name: str) -> Any:
    case = CASES[name]
    base = started(folder, case["input"])
    if name in ("fine-tuned", "single"):
        return ours.build("vificlip", base, case["input"])
    path = files.vificlip(folder / "ckpt_epoch_10.pth", case, FIGURES["state"])
    return ours.build("vificlip", path, case["input"], base=str(base), **case["input"]["options"])


@pytest.mark.parametrize("name", TOWERS["cases"])
def test_towers_and_tokens_are_openais(name: str, tmp_path: Path) -> None:
    given, expected = TOWERS["cases"][name].values()
    file = files.openai(tmp_path / "clip.pt", TOWERS["state"], given)
    model = ours.towers(file)
    images = seeded.video(given["seed"], given["images"])
    found = ours.tower_features(model, images, given["texts"])
    figures.check({"tokens": ours.tokens(given["texts"]), **found}, expected)


@pytest.mark.parametrize("name", CASES)
def test_features_logits_losses_and_gradients(name: str, tmp_path: Path) -> None:
    given, expected = CASES[name]["input"], CASES[name]["expected"]
    model = made(tmp_path, name)
    found = ours.features(model, given)
    if "weights" in expected:
        found["weights"] = ours.weights(model)
        del found["weights"][files.TABLE]  # the official code holds the prompts' embeddings alone
    if "class_ce" in expected:
        smoothing = given["smoothing"]
        found["class_ce"] = ours.step(model, given, "class_ce", smoothing=smoothing)
        found["infonce"] = ours.step(model, given, "infonce")
    figures.check(found, {name: told for name, told in expected.items() if name != "terms"})


@pytest.mark.parametrize("use", FIGURES["trained"])
def test_what_is_trained(use: str, tmp_path: Path) -> None:
    given = CASES["fine-tuned"]["input"]
    model = ours.build("vificlip", started(tmp_path, given), given, train=use)
    assert ours.trained(model) == FIGURES["trained"][use]


def test_prompts_start_from_the_templates_words(tmp_path: Path) -> None:
    given, expected = FIGURES["start"].values()
    base = started(tmp_path, given | {"precision": "half"})
    model = ours.build("vificlip", base, given, **given["options"])
    figures.check({"text": ours.weights(model)["prompts.text.0"]}, expected)


@pytest.mark.parametrize("kind", FIGURES["mixing"])
def test_targets_of_mixed_clips_are_smoothed(kind: str) -> None:
    """The official targets are smoothed before they are mixed, ours after: the same."""
    given, expected = FIGURES["mixing"][kind].values()
    target = torch.tensor(given["target"], dtype=torch.float64)
    logits = seeded.video(given["seed"], target.shape)
    labels = torch.tensor(given["labels"])
    assert ((target > 0) & (target < 1)).any()
    loss = ours.loss_of_logits(logits, target, labels, given["smoothing"])
    figures.check({"loss": loss.item()}, expected)
