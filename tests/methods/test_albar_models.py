"""ALBAR on models: against the clip that repeats the frame, and against differences, in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from sbtools.methods.albar import Albar
from sbtools.models.base import VideoModel, repeated
from sbtools.models.outputs import Outputs
from sbtools.objectives import build
from sbtools.rng import Draws
from sbtools.train.step import Step
from tests.models.linear_made import linear, moved
from tests.models.small_clip import FRAMES, SIDE, videos
from tests.models.test_static import made, slopes

CASES = ["vificlip", "vificlip with prompts", "actionclip meanP", "actionclip Transf", "frame_cnn",
         "conv3d"]  # fmt: skip
WEIGHTS = {"w_adv": 0.7, "w_ent": 1.5, "w_gp": 2.0}
ALL = frozenset({"all"})


def model_of(case: str) -> VideoModel:
    """With weights away from their start."""
    if case not in ("frame_cnn", "conv3d"):
        return made(case)
    model = linear(case, ["a", "b"], frames=FRAMES if case == "frame_cnn" else 4, size=SIDE)
    return moved(model).double().eval()  # type: ignore[no-any-return]


def batch(model: VideoModel) -> dict[str, Any]:
    """Of one class alone."""
    video = videos(2, frames=model.frames).double()
    hot = torch.tensor([[0, 1], [0, 1]]).double()
    return {"video": video, "label": torch.tensor([1, 1]), "id": ["a", "b"], "target": hot,
            "draws": Draws(seed=2)}  # fmt: skip


def tiled(model: VideoModel, given: dict[str, Any], reduction: str) -> dict[str, Tensor]:
    """The terms by torch's own losses, of clips that repeat their last frame."""
    pixels = repeated(given["video"][:, -1], model.frames).clone().requires_grad_()
    every = Outputs(model, given, texts=ALL)
    texts = every.class_embeddings() if "texts" in model.provides else None
    with sdpa_kernel(SDPBackend.MATH):
        logits = model.logits(model.encode(pixels), texts)
    crossed = nn.functional.cross_entropy(logits, given["target"])
    entropy = torch.distributions.Categorical(logits=logits).entropy().mean()
    (grad,) = torch.autograd.grad(logits.sum(), pixels, create_graph=True)
    squares = grad.square().sum(1)  # over T: [B, 3, H, W]
    squares = squares.sum(1).sum((1, 2) if reduction == "sample" else 1)
    norm = (squares + 1e-12).sqrt()
    found = {"adversarial": -crossed, "entropy": -entropy, "gradient": norm.mean()}
    return {name: weight * found[name]
            for name, weight in zip(found, WEIGHTS.values(), strict=True)}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_terms_and_gradients_are_those_of_the_tiled_clip(case: str) -> None:
    model = model_of(case)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    given = batch(model)
    for reduction in ("sample", "column"):
        method = Albar(**WEIGHTS, frame=str(model.frames), gp_reduction=reduction)
        found = method.losses(Outputs(model, given, texts=ALL), *method.phases())
        for name, wanted in tiled(model, given, reduction).items():
            torch.testing.assert_close(found[name], wanted, rtol=1e-9, atol=1e-11)
            if name == "gradient":
                ours, theirs = (
                    torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
                    for loss in (found[name], wanted)
                )
                for mine, other in zip(ours, theirs, strict=True):
                    torch.testing.assert_close(mine, other, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("saving", [False, True], ids=["kept", "recomputed"])
@pytest.mark.parametrize("case", ["vificlip", "actionclip Transf"])
def test_gradients_of_a_step_are_those_of_differences(case: str, saving: bool) -> None:
    """Of objective and terms together, in training."""
    model = made(case)
    for layer in model.modules():
        if isinstance(layer, nn.TransformerEncoderLayer):
            layer.activation = nn.functional.gelu  # at relu's corners there are no differences
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    model.train().checkpoint_activations(saving)
    step = Step(model, Albar(**WEIGHTS), build("class_ce"))
    given = batch(model)

    def loss(model: VideoModel) -> Tensor:
        return torch.stack(list(step(given, *step.method.phases()).values())).sum()

    ours, theirs = slopes(model, loss=loss)
    assert ours == pytest.approx(theirs, rel=1e-5) and abs(theirs) > 1e-3


@pytest.mark.parametrize("objective", ["infonce", "kl", "class_ce"])
def test_the_adversary_sees_all_classes_whatever_the_objective(objective: str) -> None:
    model = made("vificlip")
    given = batch(model)
    terms = Step(model, Albar(**WEIGHTS), build(objective))(given, *Albar().phases())
    still = repeated(given["video"][:, FRAMES // 2], FRAMES)
    texts = Outputs(model, given, texts=ALL).class_embeddings()
    logits = model.logits(model.encode(still), texts)
    wanted = -0.7 * nn.functional.cross_entropy(logits, given["target"])
    torch.testing.assert_close(terms["adversarial"], wanted, rtol=1e-9, atol=1e-11)
    assert list(terms) == [objective, "adversarial", "entropy", "gradient"]
