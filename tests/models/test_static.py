"""Motionless clips at the cost of a frame against the clip that repeats it, in float64."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from sbtools.models import blocks, kernels, outputs
from sbtools.models.actionclip import ActionCLIP
from sbtools.models.base import VideoModel, repeated
from sbtools.models.heads import HEADS
from sbtools.models.outputs import Outputs
from sbtools.models.vificlip import ViFiCLIP
from tests.models.small_clip import FRAMES, small, videos

CLASSES = ["run", "jump"]
FRAME = torch.tensor([2, 0])
CASES = ["vificlip", "vificlip with prompts", *(f"actionclip {head}" for head in HEADS)]


def made(case: str) -> VideoModel:
    """In float64, with weights away from their start, where a head may look like a mean."""
    name, _, more = case.partition(" ")
    clip, model = small(), None
    if name == "actionclip":
        model = ActionCLIP(clip, CLASSES, None, FRAMES, head=more, templates="{}|a {}")
    elif more:
        model = ViFiCLIP(clip, CLASSES, None, FRAMES, vision_tokens=2, text_tokens=1)
    else:
        model = ViFiCLIP(clip, CLASSES, None, FRAMES)
    drawn = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=drawn))
    return model.double().eval()


def asked(model: VideoModel, leaf: bool = True) -> tuple[Outputs, Any]:
    batch = {"video": videos(2).double(), "label": torch.tensor([0, 1]), "id": ["a", "b"]}
    found = Outputs(model, batch, texts=frozenset({"all"}))
    return found, found.static(FRAME, leaf=leaf)


def tiled(model: VideoModel) -> Tensor:
    frames = videos(2).double()[torch.arange(2), FRAME]
    return repeated(frames, FRAMES).clone().requires_grad_()


@pytest.mark.parametrize("case", CASES)
def test_a_frame_is_the_tiled_clip_and_its_gradient_has_the_norm(case: str) -> None:
    model, drawn = made(case), torch.randn(2, 2, generator=torch.Generator().manual_seed(1))
    _, static = asked(model)
    assert "one_frame" in model.provides and static.repeats in (1, FRAMES)
    assert (static.repeats == FRAMES) == (model.static_gradient == "mean")
    assert static.pixels.shape[1] * static.repeats == FRAMES
    pixels = tiled(model)
    features = model.encode(pixels).features
    logits = model.logits(model.encode(pixels), model.class_embeddings(torch.arange(2)))
    close = {"rtol": 1e-9, "atol": 1e-11}
    torch.testing.assert_close(static.features, features, **close)
    torch.testing.assert_close(static.logits, logits, **close)
    torch.testing.assert_close(asked(model, leaf=False)[1].logits, logits, **close)
    wanted = torch.autograd.grad((logits * drawn).sum(), pixels)[0]
    found = torch.autograd.grad((static.logits * drawn).sum(), static.pixels)[0]
    norms = found.square().flatten(1).sum(1) / static.repeats
    torch.testing.assert_close(norms, wanted.square().flatten(1).sum(1), **close)
    if model.static_gradient == "mean":
        torch.testing.assert_close(repeated(found[:, 0], FRAMES) / FRAMES, wanted, **close)
    else:
        torch.testing.assert_close(found, wanted, **close)


@pytest.mark.parametrize("head", [head for head in HEADS if head != "meanP"])
def test_what_is_tiled_is_no_mean(head: str) -> None:
    """Were it one, each frame would have the same gradient, and one frame would do."""
    model, pixels = made(f"actionclip {head}"), None
    pixels = tiled(model)
    grad = torch.autograd.grad(model.encode(pixels).features[:, 0].sum(), pixels)[0]
    assert (grad[:, 0] - grad[:, 1]).abs().max() > 1e-3 * grad.abs().max()


def penalty(model: VideoModel) -> Tensor:
    """The squared norm of a logit's gradient to the pixels."""
    _, static = asked(model)
    grad = torch.autograd.grad(static.logits[:, 0].sum(), static.pixels, create_graph=True)[0]
    return grad.square().sum() / static.repeats


def slopes(
    model: VideoModel, step: float = 1e-5, loss: Callable[[VideoModel], Tensor] = penalty
) -> tuple[float, float]:
    """Of a loss along a random direction of all weights: by autograd, and by differences."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    drawn = torch.Generator().manual_seed(2)
    ways = [torch.randn(w.shape, generator=drawn, dtype=w.dtype) for w in weights]
    grads = torch.autograd.grad(loss(model), weights, allow_unused=True)
    ours = sum((g * way).sum().item() for g, way in zip(grads, ways, strict=True) if g is not None)
    ends = []
    for sign in (1, -1):
        with torch.no_grad():
            for weight, way in zip(weights, ways, strict=True):
                weight.add_(sign * step * way)
        ends.append(loss(model).item())
        with torch.no_grad():
            for weight, way in zip(weights, ways, strict=True):
                weight.sub_(sign * step * way)
    return ours, (ends[0] - ends[1]) / (2 * step)


@pytest.mark.parametrize(
    ("case", "saving"), [*((case, False) for case in CASES), *((case, True) for case in CASES[:3])]
)
def test_second_derivatives_are_those_of_differences(case: str, saving: bool) -> None:
    model = made(case)
    for layer in model.modules():
        if isinstance(layer, nn.TransformerEncoderLayer):
            layer.activation = nn.functional.gelu  # at relu's corners there are no differences
    model.checkpoint_activations(saving)
    ours, theirs = slopes(model)
    assert ours == pytest.approx(theirs, rel=1e-5) and abs(theirs) > 1e-4


@pytest.mark.parametrize("saving", [False, True], ids=["kept", "recomputed"])
def test_gradgradcheck_of_a_still_clip(saving: bool) -> None:
    """Through `static(leaf=True)`, by torch's own check, of the weights of the first norm."""
    model = made("vificlip")
    model.checkpoint_activations(saving)
    norm = model.clip.visual.ln_pre  # type: ignore[attr-defined]

    def features(weight: Tensor) -> Tensor:
        del norm.weight
        norm.weight = weight
        _, static = asked(model)
        found: Tensor = static.features.sum(0)[:2]
        return found

    start = norm.weight.detach().clone().requires_grad_()
    norm.register_parameter("weight", None)
    assert torch.autograd.gradgradcheck(features, (start,), fast_mode=True)


def test_without_the_right_kernel_there_is_no_second_derivative(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = made("vificlip")
    monkeypatch.setattr(outputs, "twice_differentiable", nullcontext)
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION), pytest.raises(RuntimeError, match="not impl"):
        torch.autograd.grad(penalty(model), list(model.clip.visual.parameters()))  # type: ignore


def test_without_the_same_kernels_nothing_is_recomputed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made("vificlip")
    model.checkpoint_activations()

    def plain(run: Any, *given: Any) -> Any:
        return torch.utils.checkpoint.checkpoint(run, *given, use_reentrant=False)

    monkeypatch.setattr(blocks, "recomputed", plain)
    with pytest.raises((RuntimeError, torch.utils.checkpoint.CheckpointError)):
        torch.autograd.grad(penalty(model), list(model.clip.visual.parameters()))  # type: ignore


def test_kernels_can_be_entered_again_and_are_put_back() -> None:
    before = [on() for on in kernels.KERNELS.values()]
    with sdpa_kernel(SDPBackend.MATH):
        _, back = kernels.same_kernels()
    for _ in range(2):
        with back:
            inside = {kernel for kernel, on in kernels.KERNELS.items() if on()}
            assert inside == {SDPBackend.MATH}
    assert [on() for on in kernels.KERNELS.values()] == before


def test_texts_are_encoded_before_the_leaf_pass_by_the_kernel_of_the_run() -> None:
    """Else their gradients would hang on which method asked first."""
    model = made("vificlip")
    seen: list[bool] = []
    plain = model.clip.encode_text  # type: ignore[attr-defined]

    def noted(*given: Any) -> Tensor:
        seen.append(torch.backends.cuda.flash_sdp_enabled())
        found: Tensor = plain(*given)
        return found

    model.clip.encode_text = noted  # type: ignore[attr-defined]
    _ = asked(model)[1].logits
    assert seen == [torch.backends.cuda.flash_sdp_enabled()] == [True]
