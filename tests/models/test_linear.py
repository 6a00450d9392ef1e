"""Model linear gives what the library's own network gives, and learns what it is to learn."""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sbtools import models
from sbtools.errors import DamagedError, UsageError
from sbtools.models.backbones import vision
from sbtools.models.base import repeated
from sbtools.models.linear import Linear
from sbtools.models.outputs import Outputs
from tests.models.linear_made import (
    ABC,
    FRAMES,
    KINDS,
    SIDE,
    entering,
    huggingface,
    library,
    linear,
    moved,
    video,
)

SLOW = os.environ.get("SBTOOLS_TEST_SLOW") == "1"
HEADS = {"mc3_18": "fc", "swin3d_t": "head", "resnet18": "fc", "mobilenet_v3_small": "classifier.3"}
LONG = {
    "r3d_18": "fc", "r2plus1d_18": "fc", "swin3d_s": "head", "swin3d_b": "head",
    "mvit_v1_b": "head.1", "mvit_v2_s": "head.1", "s3d": "classifier.1", "vit_b_32": "heads.head",
}  # fmt: skip
SHAPES = {"mvit_v1_b": (16, 224), "mvit_v2_s": (16, 224), "s3d": (13, 224)}


@pytest.mark.parametrize("name", [*HEADS, *(LONG if SLOW else ())])
def test_torchvisions_own_forward_pass(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, side = SHAPES.get(name, (FRAMES, 224 if name.startswith("vit") else SIDE))
    network = library(name)
    monkeypatch.setattr(vision, "read", lambda path: network.state_dict())
    model = linear(name, weights="its.pth", frames=frames, size=side)
    seen = video(frames, side, 1 if name in LONG else 2)
    images = "one_frame" in model.provides
    given = seen.flatten(0, 1) if images else seen.transpose(1, 2)
    head = network.get_submodule({**HEADS, **LONG}[name])
    features, logits = entering(network, head, lambda: network(given))
    if images:
        features, logits = (t.unflatten(0, seen.shape[:2]).mean(1) for t in (features, logits))
    if name == "s3d":
        features = features.mean((2, 3, 4))
    with torch.no_grad():
        encoded = model.encode(seen)
        assert torch.allclose(encoded.features, features, atol=1e-5, rtol=1e-5)
        assert torch.allclose(model.logits(encoded), logits, atol=1e-5, rtol=1e-5)
    assert model.recipe.normalise == ("kinetics" if name in ("mc3_18", "r3d_18", "r2plus1d_18",
                                      "s3d") else model.recipe.normalise)  # fmt: skip
    assert [group["name"] for group in model.groups()] == ["backbone", "head"]


@pytest.mark.parametrize("kind", KINDS)
def test_transformers_own_forward_pass_and_a_run_without_the_folder(
    kind: str, tmp_path: Path
) -> None:
    named = {"id2label": dict(enumerate(ABC)), "label2id": {n: i for i, n in enumerate(ABC)}}
    network = huggingface(kind, tmp_path / "it", **named)
    model = linear(f"hf:{tmp_path / 'it'}", size=0)
    seen = video()
    features, logits = entering(
        network, network.classifier, lambda: network(**{network.main_input_name: seen}).logits
    )
    with torch.no_grad():
        encoded = model.encode(seen)
    assert torch.allclose(encoded.features, features, atol=1e-5)
    assert torch.allclose(model.logits(encoded), logits, atol=1e-5)
    shutil.rmtree(tmp_path / "it")
    spec = json.loads(json.dumps(model.spec()))
    assert str(tmp_path) not in json.dumps(spec["built"])
    again = models.rebuild(spec)
    assert not torch.equal(scored(again, seen), logits)
    again.load_state_dict(model.state_dict())
    assert torch.equal(scored(again, seen), scored(model, seen))
    assert again.recipe == model.recipe and again.recipe.size == SIDE


def scored(model: Any, seen: Tensor) -> Tensor:
    with torch.no_grad():
        return model.scores(seen)  # type: ignore[no-any-return]


@pytest.mark.parametrize("backbone", ["resnet18", "frame_cnn", "conv3d"])
@pytest.mark.parametrize("training", [False, True])
def test_a_motionless_clip_costs_an_image_network_one_frame(backbone: str, training: bool) -> None:
    """The tiled clip, in float64; in training what is dropped is switched off."""
    model = moved(linear(backbone, size=16)).double().train(training)
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    frame = video(1, 16)[:, 0].double().requires_grad_()
    tiled = repeated(frame, FRAMES).detach().clone().requires_grad_()
    alone, whole = model.encode_frame(frame).features, model.encode(tiled).features
    assert torch.allclose(alone, whole, atol=1e-12)
    once, each = (torch.autograd.grad(f.square().sum(), x)[0]
                  for f, x in ((alone, frame), (whole, tiled)))  # fmt: skip
    if backbone == "conv3d":
        assert (model.static_gradient, model.provides) == ("tiled", frozenset())
        assert torch.allclose(each.sum(1), once)
        assert not torch.allclose(each[:, 0], each[:, 2])
        return
    assert (model.static_gradient, model.provides) == ("mean", {"one_frame"})
    assert torch.allclose(each, repeated(once, FRAMES) / FRAMES, atol=1e-12)


def test_features_of_frames_are_averaged() -> None:
    model = moved(linear("resnet18"))
    seen = video()
    images: list[int] = []
    model.network.register_forward_pre_hook(lambda layer, given: images.append(len(given[0])))
    with torch.no_grad():
        frames = [model.encode_frame(seen[:, place]).features for place in range(FRAMES)]
        assert torch.allclose(model.encode(seen).features, torch.stack(frames).mean(0), atol=1e-5)
    assert images == [2] * FRAMES + [2 * FRAMES]


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


def test_what_an_encoders_folder_lacks_is_trained_beside_the_head(tmp_path: Path) -> None:
    huggingface("VJEPA2", tmp_path, "Model")
    model = linear(f"hf:{tmp_path}", size=0)
    again = models.rebuild(model.spec())
    for each in (model, again):
        each.freeze()
        trained = [name for name, weight in each.named_parameters() if weight.requires_grad]
        assert {name.split(".")[2] for name in trained if "network" in name} == {"pooler"}
        assert {"head.weight", "head.bias"} <= set(trained)
    assert not any("predictor" in name for name in model.state_dict())


def test_weights_of_half_precision_are_trained_in_full(tmp_path: Path) -> None:
    huggingface("VideoMAE", tmp_path).half().save_pretrained(tmp_path)
    model = linear(f"hf:{tmp_path}", size=0)
    for each in (model, models.rebuild(model.spec())):
        assert {weight.dtype for weight in each.parameters()} == {torch.float32}
        assert scored(each, video()).dtype == torch.float32


def test_a_damaged_folder_is_said(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    huggingface("VideoMAE", tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    lost = next(key for key in state if key.startswith("videomae.") and "bias" in key)
    del state[lost]
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(DamagedError, match=rf"lacks 1 tensors of the model, as {lost}"):
        linear(f"hf:{tmp_path}", size=0)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_weights_that_the_library_saved(
    suffix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    network = library("shufflenet_v2_x0_5", 5)
    path = str(tmp_path / f"five.{suffix}")
    if suffix == "pth":
        torch.save(network.state_dict(), path)
    else:
        from safetensors.torch import save_file

        save_file(network.state_dict(), path)
    five, three = (linear("shufflenet_v2_x0_5", list(k), weights=path) for k in ("abcde", "abc"))
    assert torch.equal(five.head.weight, network.fc.weight)
    assert three.head.out_features == 3 and "has one of 5 classes for a head" in caplog.text
    assert torch.equal(three.network.conv1[0].weight, network.conv1[0].weight)
    with pytest.raises(UsageError, match=r"five\.\w+ is not of a shufflenet_v2_x1_0: ") as fault:
        linear("shufflenet_v2_x1_0", weights=path)
    assert "\n" not in str(fault.value) and len(str(fault.value)) < 400
    with pytest.raises(UsageError, match=r"five\.\w+ is not of a frame_cnn: .*Missing"):
        linear("frame_cnn", weights=path)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"backbone": ""}, "needs a backbone: --set-model backbone=r3d_18"),
    ({"backbone": "r3d_19"}, "no backbone 'r3d_19', here or in torchvision; there are r3d_18"),
    ({"backbone": "torchvision:inception_v3"}, "does not end in one linear layer"),
    ({"backbone": "mvit_v2_s"}, "takes 16 frames of 224 pixels, not 4 of 32"),
    ({"backbone": "s3d"}, "takes 13 frames of 224 pixels or more"),
    ({"backbone": "maxvit_t", "size": 36}, "maxvit_t cannot take 36 pixels"),
    ({"backbone": "conv3d", "frames": 3}, "takes 4 frames or more, not 3: --frames 8"),
    ({"backbone": "conv3d", "size": 7}, "takes 8 pixels or more"),
    ({"backbone": "conv3d", "weights": "no.pth"}, r"no\.pth: No such file"),
    ({"backbone": "conv3d", "hight": 3}, "model linear has no setting 'hight'"),
    ({"backbone": "hf:."}, "no model of transformers: it has no config.json"),
]


@pytest.mark.parametrize(("options", "told"), WRONG)
def test_what_cannot_be_is_said_in_one_line(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told) as fault:
        linear(**options)
    assert "\n" not in str(fault.value)


def test_what_transformers_lacks_is_said_with_the_version(tmp_path: Path) -> None:
    told = {"model_type": "videofuture", "transformers_version": "99.1.0.dev0", "num_frames": 4}
    (tmp_path / "config.json").write_text(json.dumps(told))
    with pytest.raises(UsageError, match=r"'videofuture', which transformers .* does not have: "
                                         r"install transformers>=99\.1\.0, which"):  # fmt: skip
        linear(f"hf:{tmp_path}")


@pytest.mark.parametrize(
    ("options", "told"),
    [({"frames": 8}, "takes 4 frames, not 8: --frames 4"), ({"size": 64}, "takes 32 pixels"),
     ({"weights": "x.pth"}, "leave --weights out")],
)  # fmt: skip
def test_what_a_folder_cannot_take(tmp_path: Path, options: dict[str, Any], told: str) -> None:
    huggingface("VideoMAE", tmp_path)
    with pytest.raises(UsageError, match=told):
        linear(f"hf:{tmp_path}", **{"size": 0, **options})


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
    with pytest.raises(UsageError, match="has batch norm, whose statistics would move twice"):
        model.checkpoint_activations()
    model.freeze()
    model.checkpoint_activations()
    linear("resnet18").checkpoint_activations()
    assert "resnet18 keeps its activations" in caplog.text


class Scores(nn.Module):
    """Of the user's: scores, by a last linear layer."""

    frames, recipe = 5, {"size": 16, "normalise": "half"}

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.LazyLinear(width), nn.Tanh())
        self.last = nn.Linear(width, classes)

    def forward(self, seen: Tensor) -> Tensor:
        found: Tensor = self.last(self.body(seen.mean(1)))
        return found


def scores(classes: list[str], width: int = 6) -> nn.Module:
    return Scores(len(classes), width)


def features(width: int = 6) -> nn.Module:
    return Scores(7, width)


def model_of_ours(classes: list[str]) -> nn.Module:
    return linear("frame_cnn", classes, size=16)


def softened(classes: list[str]) -> nn.Module:
    return nn.Sequential(Scores(len(classes), 6), nn.Softmax(1))


def nothing() -> object:
    return lambda seen: seen


def many() -> nn.Module:
    return nn.Flatten(0)


def test_networks_of_the_user() -> None:
    found = linear(f"{__name__}:scores", size=0, settings={"width": "5"})
    seen = video(FRAMES, 16)
    assert found.head.in_features == 5 and found.recipe.normalise == "half"
    body = found.network.body
    assert torch.equal(scored(found, seen), found.head(body(seen.mean(1))))
    again = models.rebuild(found.spec())
    again.load_state_dict(found.state_dict())
    assert torch.equal(scored(again, seen), scored(found, seen))
    assert linear(f"{__name__}:features", size=0).head.in_features == 7
    assert linear(f"{__name__}:model_of_ours", size=16).head.in_features == 256
    with pytest.raises(UsageError, match="a number for each of 3 classes, which no"):
        linear(f"{__name__}:softened", size=16)
    with pytest.raises(UsageError, match="is trained"):
        linear(f"{__name__}:nothing")
    with pytest.raises(UsageError, match="neither features nor scores"):
        linear(f"{__name__}:many", size=16)
    with pytest.raises(UsageError, match="no setting 'hight'"):
        linear(f"{__name__}:scores", settings={"hight": "1"})


def test_weights_are_drawn_by_the_seed_and_a_warning_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, again, other = (linear("conv3d", seed=seed) for seed in (1, 1, 2))
    same = again.state_dict()
    assert all(torch.equal(value, same[name]) for name, value in first.state_dict().items())
    assert not torch.equal(first.head.weight, other.head.weight)
    assert caplog.text.count("conv3d starts from random ones") == 3
    models.rebuild(first.spec())
    assert caplog.text.count("conv3d starts from random ones") == 3


def test_some_of_the_classes_are_chosen_among() -> None:
    model = linear("conv3d")
    seen = video()
    whole = scored(model, seen)
    model.set_classes(["C", "a"])
    assert torch.equal(scored(model, seen), whole[:, [2, 0]])
    assert model.spec()["classes"] == ABC
    with pytest.raises(UsageError, match="knows 3 classes, and 'd' is none"):
        model.set_classes(["d"])
