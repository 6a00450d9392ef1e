"""An error of 1e-3 in any part of what is computed is seen in the figures.

That each figure may not be wrong by so much is seen wherever figures are checked.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.official import figures, files, ours
from tests.official.test_actionclip import CASES as ACTION
from tests.official.test_actionclip import made as actionclip
from tests.official.test_vificlip import CASES as VIFI
from tests.official.test_vificlip import made as vificlip

XCLIP = figures.read("xclip")["cases"]["small"]
SHARE = 1.001
VIEWED = {"vificlip": ("features", "texts"), "prompts": ("features", "texts"),
          "actionclip": ("features",), "xclip": ("features", "logits")}  # fmt: skip
"""What sees an error soonest; whatever it does not see must show in the gradients."""

MODELS = {"vificlip": "fine-tuned", "prompts": "prompts from words", "actionclip": "Transf"}


@pytest.mark.parametrize("kind", [*MODELS, "xclip"])
def test_an_error_in_any_weight(kind: str, tmp_path: Path) -> None:
    """In features and logits, or in gradients: some norms undo it. Weights without effect, the
    biases of keys, have a gradient of 0."""
    model, given, expected, losses = opened(kind, tmp_path)
    shown = {name: expected[name] for name in VIEWED[kind]}
    weights = ours.weights(model)
    if kind in ("prompts", "actionclip"):
        weights = {n: w for n, w in weights.items() if n.startswith(("prompts.", "head."))}
    unseen = {
        name
        for name, weight in weights.items()
        if not noticed(lambda: view(kind, model, given), weight, shown)
        and not noticed(lambda: step(kind, model, given, losses), weight, losses)
    }
    nothing = {name for name, told in losses["gradients"].items() if "below" in told}
    assert unseen == nothing and len(weights) > len(nothing)
    figures.check(view(kind, model, given), shown)


def opened(kind: str, folder: Path) -> tuple[Any, dict[str, Any], dict[str, Any], Any]:
    """A model, its input, and what is expected of its features and of a loss."""
    if kind == "xclip":
        given, expected = XCLIP["input"], XCLIP["expected"]
        model = ours.xclip(files.xclip(folder / "xclip", given), given)
        return model, given, expected, expected["class_ce"]
    name = MODELS[kind]
    case = (ACTION if kind == "actionclip" else VIFI)[name]
    model = (actionclip if kind == "actionclip" else vificlip)(folder, name)
    loss = case["expected"]["kl" if kind == "actionclip" else "class_ce"]
    return model, case["input"], case["expected"], loss


@torch.no_grad()
def view(kind: str, model: Any, given: dict[str, Any]) -> dict[str, Any]:
    if kind == "xclip":
        return ours.video_features(model, given)
    return ours.features(model, given, *VIEWED[kind])


def step(kind: str, model: Any, given: dict[str, Any], losses: dict[str, Any]) -> dict[str, Any]:
    if kind == "xclip":
        return ours.head_step(model, given, given["smoothing"])
    found = ours.step(model, given, "kl" if kind == "actionclip" else "class_ce")
    kept = {n: grad for n, grad in found["gradients"].items() if n in losses["gradients"]}
    return {"loss": found["loss"], "gradients": kept}


def noticed(run: Callable[[], Any], weight: Any, shown: dict[str, Any]) -> bool:
    """Whether the figures differ while a weight is 1.001 times what it is."""
    before = weight.detach().clone()
    with torch.no_grad():
        weight.mul_(SHARE)
    told = figures.seen(run(), shown)
    with torch.no_grad():
        weight.copy_(before)
    return bool(figures.differences(told, shown))


def test_an_error_in_a_setting_of_a_loss(tmp_path: Path) -> None:
    model, given, expected, _ = opened("vificlip", tmp_path)
    loss = ours.step(model, given, "class_ce", smoothing=given["smoothing"] * SHARE)["loss"]
    assert figures.differences(loss, expected["class_ce"]["loss"])
    model, given, expected, _ = opened("actionclip", tmp_path)
    loss = ours.step(model, given, "kl", factor=10 * SHARE)["loss"]
    assert figures.differences(loss, expected["kl"]["loss"])


@pytest.mark.parametrize("kind", ["infonce", "kl"])
def test_an_error_in_one_direction_of_a_loss(kind: str) -> None:
    for case in (VIFI if kind == "infonce" else ACTION).values():
        expected = case["expected"]
        if kind in expected:
            loss, terms = expected[kind]["loss"], expected["terms"]
            assert loss == pytest.approx(sum(terms) / 2)
            for term in terms:
                assert figures.differences(loss + (SHARE - 1) * term / 2, loss)


def test_an_error_in_the_clips(tmp_path: Path) -> None:
    """Their pixels, and the order of their frames, which the temporal head sees."""
    model, given, expected, _ = opened("actionclip", tmp_path)
    shown = {"features": expected["features"]}
    video = ours.batch(given)["video"]
    with torch.no_grad():
        for wrong in (video * SHARE, video.flip(1)):
            told = figures.seen({"features": model.encode(wrong).features}, shown)
            assert figures.differences(told, shown)
