"""Gradients of model linear: against central differences, twice, and none where it is frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sbtools.errors import UsageError
from sbtools.models.linear import Linear
from sbtools.models.outputs import Outputs
from tests.models.linear_made import KINDS, huggingface, linear, moved, video


@pytest.mark.parametrize("backbone", ["conv3d", "frame_cnn", "VideoMAE", "VJEPA2"])
def test_gradients_are_differences(backbone: str, tmp_path: Path) -> None:
    """Central differences along one direction of pixels and weights, in float64."""
    model = directions(backbone, tmp_path)
    seen = video(side=model.recipe.size).double().requires_grad_()
    weights = [seen, *(p for p in model.parameters() if p.requires_grad)]

    def loss() -> Tensor:
        return model.logits(model.encode(seen)).square().sum()

    assert differs(loss, weights, torch.autograd.grad(loss(), weights)) < 1e-5


@pytest.mark.parametrize("backbone", ["VideoMAE", "Timesformer", "VJEPA2"])
def test_activations_computed_twice_have_second_derivatives(backbone: str, tmp_path: Path) -> None:
    model = directions(backbone, tmp_path).train()
    batch = {"video": video(side=model.recipe.size).double()}
    weights = [p for p in model.parameters() if p.requires_grad]

    def penalty() -> Tensor:
        static = Outputs(model, batch).static(torch.tensor([1, 3]), leaf=True)
        energy = static.logits.square().sum()
        slope = torch.autograd.grad(energy, static.pixels, create_graph=True)[0]
        return slope.square().sum()

    plain = torch.autograd.grad(penalty(), weights, allow_unused=True)
    calls = counted(model)
    model.checkpoint_activations()
    twice = torch.autograd.grad(penalty(), weights, allow_unused=True)
    assert len(calls) > 2
    for a, b in zip(plain, twice, strict=True):
        assert (a is None) == (b is None)
        assert a is None or torch.allclose(a, b, rtol=1e-9, atol=1e-12)
    grads = [torch.zeros_like(w) if g is None else g for w, g in zip(weights, twice, strict=True)]
    assert differs(penalty, weights, grads) < 1e-5


def counted(model: Linear) -> list[nn.Module]:
    """Each time that the first block of the encoder runs."""
    name = next(n for n, _ in model.network.named_modules() if n.endswith("layer.0"))
    calls: list[nn.Module] = []
    block = model.network.get_submodule(name)
    inner = next(layer for layer in block.modules() if isinstance(layer, nn.LayerNorm))
    inner.register_forward_hook(lambda layer, given, found: calls.append(layer))
    return calls


def directions(backbone: str, folder: Path) -> Linear:
    if backbone in KINDS:
        huggingface(backbone, folder / "it")
        return linear(f"hf:{folder / 'it'}", size=0).double().eval()
    return moved(linear(backbone, size=8)).double().eval()  # type: ignore[no-any-return]


def differs(loss: Any, weights: list[Tensor], grads: Any) -> float:
    """How far a directional derivative is from its central difference, relative to it."""
    drawn = torch.Generator().manual_seed(1)
    ways = [torch.randn(w.shape, generator=drawn, dtype=w.dtype) for w in weights]
    expected = sum(float((way * grad).sum()) for way, grad in zip(ways, grads, strict=True))
    ends = []
    for step in (1e-7, -2e-7):
        with torch.no_grad():
            for weight, way in zip(weights, ways, strict=True):
                weight.add_(way, alpha=step)
        ends.append(float(loss().detach()))
    return abs((ends[0] - ends[1]) / 2e-7 / expected - 1)


def test_a_frozen_backbone_stands_still_and_passes_gradients_on() -> None:
    model = moved(linear("resnet18"))
    model.freeze()
    model.train()
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    seen = video().requires_grad_()
    model.logits(model.encode(seen)).square().sum().backward()
    assert seen.grad is not None and bool((seen.grad.flatten(1).abs().amax(1) > 0).all())
    assert all(weight.grad is None for weight in model.network.parameters())
    assert all(weight.grad is not None for weight in model.head.parameters())
    after = model.network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert {g["name"]: len(g["params"]) for g in model.groups()} == {"backbone": 0, "head": 2}
    free = moved(linear("resnet18")).train()
    free.encode(video())
    assert not torch.equal(free.network.bn1.running_mean, before["bn1.running_mean"])


class Twice(nn.Module):
    """Offers to compute activations twice, and has a batch norm."""

    supports_gradient_checkpointing = True
    config = None

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.on = nn.BatchNorm1d(3), False

    def forward(self, seen: Tensor) -> Tensor:
        found: Tensor = self.norm(seen.mean((1, 3, 4)))
        return torch.cat([found, found], 1)

    def gradient_checkpointing_enable(self, given: dict[str, Any]) -> None:
        self.on = True

    def gradient_checkpointing_disable(self) -> None:
        self.on = False


def twice() -> nn.Module:
    return Twice()


def test_batch_norm_is_not_computed_twice(caplog: pytest.LogCaptureFixture) -> None:
    model = linear(f"{__name__}:twice")
    model.checkpoint_activations(False)
    with pytest.raises(UsageError, match="has batch norm, whose statistics change when"):
        model.checkpoint_activations()
    model.freeze()
    model.checkpoint_activations()
    linear("resnet18").checkpoint_activations()
    assert "resnet18 cannot recompute activations" in caplog.text
