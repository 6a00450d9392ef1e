"""Model linear gives what the library's own network gives, of clips and of frames."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from sbtools import models
from sbtools.errors import UsageError
from sbtools.models.backbones import vision
from sbtools.models.base import repeated
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
    scored,
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


def test_some_of_the_classes_are_chosen_among() -> None:
    model = linear("conv3d")
    seen = video()
    whole = scored(model, seen)
    model.set_classes(["C", "a"])
    assert torch.equal(scored(model, seen), whole[:, [2, 0]])
    assert model.spec()["classes"] == ABC
    with pytest.raises(UsageError, match="knows 3 classes, and 'd' is none"):
        model.set_classes(["d"])
