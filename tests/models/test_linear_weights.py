"""Where model linear has its weights from, and what is said of those that it cannot take."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from sbtools import models
from sbtools.errors import DamagedError, UsageError
from tests.models.linear_made import huggingface, library, linear, scored, video


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
    ({"backbone": "conv3d", "weights": "no.pth"}, r"no\.pth cannot be read: No such file"),
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
