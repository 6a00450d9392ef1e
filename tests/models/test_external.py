"""Models of others give what they give on their own."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor
from torchvision import models as tv  # type: ignore[import-untyped]
from torchvision.models.video import MC3_18_Weights  # type: ignore[import-untyped]

from sbtools.errors import UsageError
from sbtools.mask.fill import NORMALISE
from sbtools.models import tokens
from sbtools.models.base import VideoModel
from sbtools.models.external import Scorer, open_model
from sbtools.models.recipe import Recipe

ABC = ["a", "b", "c"]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def video(frames: int, size: int) -> Tensor:
    return torch.randn(2, frames, 3, size, size)


def scored(model: VideoModel, seen: Tensor) -> Tensor:
    with torch.no_grad():
        return model.scores(seen, model.test_classes())


@pytest.fixture(scope="module")
def mc3(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, torch.nn.Module]:
    torch.manual_seed(1)
    network = tv.get_model("mc3_18", weights=None, num_classes=3).eval()
    path = tmp_path_factory.mktemp("tv") / "mc3.pth"
    torch.save(network.state_dict(), path)
    return str(path), network


def test_torchvision_with_weights(mc3: tuple[str, torch.nn.Module]) -> None:
    path, network = mc3
    model = open_model("torchvision:mc3_18", ABC, weights=path, frames=4)
    seen = video(4, 32)
    with torch.no_grad():
        expected = network(seen.permute(0, 2, 1, 3, 4))
    assert torch.equal(scored(model, seen), expected)
    model.set_classes(["c", "a"])
    assert torch.equal(scored(model, seen), expected[:, [2, 0]])
    shown = MC3_18_Weights.DEFAULT.transforms()
    told = NORMALISE[model.recipe.normalise]
    assert (list(told.mean), list(told.std)) == (shown.mean, shown.std)
    assert (model.recipe.size, model.recipe.short_side, model.frames) == (112, 128, 4)


def test_every_model_of_torchvision_has_a_recipe() -> None:
    from sbtools.models.tv import recipe_of

    for name in tv.list_models(module=tv.video):
        shown = tv.get_model_weights(name).DEFAULT.transforms()
        found = recipe_of(shown)
        assert list(NORMALISE[found.normalise].mean) == shown.mean
        assert (found.size, found.short_side) == (shown.crop_size[0], min(shown.resize_size))


def test_kinetics_names_its_own_classes_in_any_spelling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    official = MC3_18_Weights.DEFAULT.meta["categories"]
    model = open_model("torchvision:mc3_18")
    assert model.classes == official
    model.set_classes(["riding_a_bike", "ice skating"])
    assert isinstance(model, Scorer)
    assert model.places == [official.index("riding a bike"), official.index("ice skating")]
    with pytest.raises(UsageError, match="400 classes, and not 'flying"):
        model.set_classes(["flying a kite on the moon"])


def test_torchvision_with_what_does_not_fit(
    mc3: tuple[str, torch.nn.Module], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="r3d_18"):
        open_model("torchvision:r3d_19")
    with pytest.raises(UsageError, match="have 3 classes"):
        open_model("torchvision:mc3_18", ["a", "b"], weights=mc3[0])
    with pytest.raises(UsageError, match="not of a r2plus1d_18"):
        open_model("torchvision:r2plus1d_18", ABC, weights=mc3[0])
    (tmp_path / "bad.pth").write_bytes(b"no tensors")
    with pytest.raises(UsageError, match=r"bad\.pth is no file of tensors"):
        open_model("torchvision:mc3_18", ABC, weights=str(tmp_path / "bad.pth"))


def common(**more: Any) -> dict[str, Any]:
    return {
        "image_size": 32, "patch_size": 16, "hidden_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 16, "num_frames": 4, **more,
    }  # fmt: skip


def named() -> dict[str, Any]:
    return {"id2label": dict(enumerate(ABC)), "label2id": {k: n for n, k in enumerate(ABC)}}


KINDS: dict[str, tuple[Callable[..., Any], Callable[..., Any], dict[str, Any], str]] = {
    "videomae": (
        transformers.VideoMAEConfig, transformers.VideoMAEForVideoClassification,
        common(decoder_num_hidden_layers=1, **named()), "imagenet",
    ),
    "timesformer": (
        transformers.TimesformerConfig, transformers.TimesformerForVideoClassification,
        common(**named()), "slowfast",
    ),
    "vivit": (
        transformers.VivitConfig, transformers.VivitForVideoClassification,
        common(tubelet_size=[2, 16, 16], **named()), "half",
    ),
    "vjepa2": (
        transformers.VJEPA2Config, transformers.VJEPA2ForVideoClassification,
        {"crop_size": 32, "patch_size": 16, "frames_per_clip": 4, "hidden_size": 24,
         "num_hidden_layers": 1, "num_attention_heads": 2, "num_pooler_layers": 1,
         "pred_hidden_size": 24, "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1,
         **named()}, "imagenet",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_classifiers_of_transformers(kind: str, tmp_path: Path) -> None:
    config, made, settings, constants = KINDS[kind]
    network = made(config(**settings)).eval()
    network.save_pretrained(tmp_path)
    model = open_model(f"hf:{tmp_path}")
    seen = video(4, 32)
    with torch.no_grad():
        expected = network(**{network.main_input_name: seen}).logits
    assert torch.allclose(scored(model, seen), expected, atol=1e-6)
    assert model.classes == ABC and model.frames == 4
    assert model.recipe.size == 32 and model.recipe.normalise == constants
    whole = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    assert model.spec()["source"]["sha256"] == whole[:16]
    with pytest.raises(UsageError, match="takes 4 frames, not 8"):
        open_model(f"hf:{tmp_path}", frames=8)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(UsageError, match="has no"):
        open_model(f"hf:{tmp_path}")


def test_a_folder_in_half_precision_is_opened_in_full(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its scores are those of the library's network with weights that numpy has rounded."""
    config, made, settings, _ = KINDS["videomae"]
    network = made(config(**settings)).eval()
    network.half().save_pretrained(tmp_path)
    state = {name: value.numpy().astype(np.float32) for name, value in network.state_dict().items()}
    network.float().load_state_dict({name: torch.from_numpy(v) for name, v in state.items()})
    caplog.set_level(logging.INFO)
    model = open_model(f"hf:{tmp_path}")
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert f"{tmp_path} holds weights in float16: they are opened as float32" in caplog.text
    seen = video(4, 32)
    with torch.no_grad():
        expected = network(pixel_values=seen).logits
    assert scored(model, seen).dtype == torch.float32
    assert torch.allclose(scored(model, seen), expected, atol=1e-6)


def test_the_processor_of_the_folder_decides(tmp_path: Path) -> None:
    config, made, settings, _ = KINDS["videomae"]
    bare = {k: v for k, v in settings.items() if k not in named()}
    made(config(**bare, num_labels=2)).save_pretrained(tmp_path)
    told: dict[str, Any] = {"image_mean": [0.45] * 3, "image_std": [0.225] * 3}
    told |= {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(told))
    with pytest.raises(UsageError, match="2 classes without names"):
        open_model(f"hf:{tmp_path}")
    model = open_model(f"hf:{tmp_path}", ["x", "y"])
    assert model.classes == ["x", "y"]
    assert (model.recipe.normalise, model.recipe.short_side) == ("slowfast", 40)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**told, "image_std": [1] * 3}))
    with pytest.raises(UsageError, match="none of imagenet"):
        open_model(f"hf:{tmp_path}", ["x", "y"])


def test_x_clip_scores_as_transformers_does(tmp_path: Path) -> None:
    text = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    text |= {"num_attention_heads": 2}
    vision = {**text, "image_size": 32, "patch_size": 16, "num_frames": 3, "mit_hidden_size": 16}
    vision |= {"mit_intermediate_size": 16, "mit_num_attention_heads": 2}
    config = transformers.XCLIPConfig(
        text_config=text, vision_config=vision, projection_dim=16, prompt_num_attention_heads=2
    )
    network = transformers.XCLIPModel(config).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    network.save_pretrained(tmp_path)
    names = ["juggling", "riding a bike", "ice skating on a lake"]
    model = open_model(f"hf:{tmp_path}", names)
    seen = video(3, 32)
    with torch.no_grad():
        found = network(pixel_values=seen, input_ids=tokens.tokenize(names))
    assert torch.allclose(scored(model, seen), found.logits_per_video, atol=1e-5)
    assert found.logits_per_video.std() > 1e-3
    with pytest.raises(UsageError, match="--classes"):
        open_model(f"hf:{tmp_path}")


def test_what_is_no_model_is_said(tmp_path: Path) -> None:
    for text in (
        "hf:",
        f"hf:{tmp_path}",
        "no.such.module:x",
        "json:nothing",
        "sbtools:__version__",
    ):
        with pytest.raises(UsageError):
            open_model(text, ABC)


class Own:
    recipe = Recipe(size=8)
    frames = 5

    def __init__(self, width: int) -> None:
        self.width = width

    def __call__(self, seen: Tensor) -> Tensor:
        return torch.arange(3.0).expand(len(seen), 3) * self.width


def factory(classes: list[str], frames: int | None = None, width: int = 1) -> Own:
    return Own(width)


def test_options_of_a_factory_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    where = "tests.models.test_external:factory"
    model = open_model(where, ABC, width="3")
    assert model.frames == 5 and model.recipe.size == 8
    assert scored(model, video(5, 8)).tolist() == [[0, 3, 6]] * 2
    wrong: list[dict[str, Any]] = [{"width": "much"}, {"hight": "3"}]
    for options in wrong:
        with pytest.raises(UsageError):
            open_model(where, ABC, **options)
    with pytest.raises(UsageError, match="--weights"):
        open_model(where, ABC, weights="x.pth")
    with pytest.raises(UsageError, match="wants the classes"):
        open_model(where)
