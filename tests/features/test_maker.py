"""Features are what the library's own network gives its last layer."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from torch import Tensor, nn

from sbtools import models
from sbtools.errors import UsageError
from sbtools.evaluate import views
from sbtools.evaluate.evaluated_model import EvaluatedModel, predict_of
from sbtools.evaluate.predictor import Predictor
from sbtools.features.maker import FeatureMaker
from sbtools.methods.base import Method
from sbtools.models.base import VideoModel
from sbtools.models.external import open_model
from tests.features.made import Turned
from tests.models import towers_made
from tests.models.linear_made import ABC, FRAMES, SIDE, huggingface, library, linear, video

IMAGES = "resnet18"
Reference = Callable[[Tensor], Tensor]
"""Features [B, D] of videos [B, T, 3, H, W], in double."""


def maker(model: VideoModel, method: Method | None = None, **options: Any) -> FeatureMaker:
    evaluated = EvaluatedModel(model, predict_of(model), [model], {"name": "it"}, {}, {}, method)
    return FeatureMaker(evaluated, views.build("plain"), torch.device("cpu"), "float32", **options)


def batch(seen: Tensor) -> dict[str, Any]:
    ids = [str(place) for place in range(len(seen))]
    return {"video": seen, "id": ids, "label": torch.full((len(seen),), -1)}


def by_torchvision(name: str, head: str, folder: Path) -> tuple[VideoModel, Reference]:
    """The network with its head cut off; `linear` and `torchvision:` are built on the same one."""
    network = known(name)
    path = folder / f"{name}.pth"
    torch.save(network.state_dict(), path)
    bare = deepcopy(network).double()
    bare.set_submodule(head, nn.Identity())
    if name == IMAGES:
        return linear(
            name, weights=str(path)
        ), lambda seen: bare(seen.flatten(0, 1)).unflatten(0, seen.shape[:2]).mean(1)
    model = open_model(f"torchvision:{name}", ABC, weights=str(path), frames=FRAMES)
    return model, lambda seen: bare(seen.transpose(1, 2))


known = cache(library)


def by_transformers(kind: str, folder: Path) -> tuple[VideoModel, Reference]:
    network = huggingface(kind, folder / "it", id2label={0: "a", 1: "b"}, label2id={"a": 0, "b": 1})
    bare = deepcopy(network).double()
    bare.classifier = nn.Identity()
    model = open_model(f"hf:{folder / 'it'}")
    return model, lambda seen: bare(**{bare.main_input_name: seen}).logits


def by_open_clip(folder: Path) -> tuple[VideoModel, Reference]:
    path = towers_made.openai(folder / "clip.pt")
    model = models.build("vificlip", ["clip"], weights=str(path), frames=FRAMES)
    towers: open_clip.CLIP = towers_made.library()
    return (
        model,
        lambda seen: towers.encode_image(seen.flatten(0, 1)).view(*seen.shape[:2], -1).mean(1),
    )


FAMILIES: dict[str, Callable[[Path], tuple[VideoModel, Reference]]] = {
    "linear": lambda folder: by_torchvision(IMAGES, "fc", folder),
    "torchvision": lambda folder: by_torchvision("mc3_18", "fc", folder),
    "transformers": lambda folder: by_transformers("VideoMAE", folder),
    "open_clip": by_open_clip,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_features_are_those_of_the_network_without_its_head(family: str, tmp_path: Path) -> None:
    model, reference = FAMILIES[family](tmp_path)
    seen = video(FRAMES, SIDE)
    with torch.no_grad():
        expected = reference(seen.double())
        made = maker(model)
        made.require()
        single = made.answer(batch(seen), False)
        assert single.dtype == torch.float32
        scale = expected.abs().max().item()
        torch.testing.assert_close(single.double(), expected, atol=1e-5 * scale, rtol=0)
        kept, bare = (Predictor(made.evaluated, made.views, made.device, keep=view)(batch(seen))
                      for view in ("plain", None))  # fmt: skip
        np.testing.assert_allclose(kept.features, expected, atol=1e-5 * scale)
        np.testing.assert_array_equal(kept.scores["plain"], bare.scores["plain"])
        assert bare.features is None
        twice = maker(model.double()).answer(batch(seen.double()), False)
        torch.testing.assert_close(twice, expected, atol=1e-11 * scale, rtol=0)
    assert (expected[0] - expected[1]).abs().max() > 1e-2 * scale  # clips differ


@pytest.mark.parametrize("family", ["linear", "open_clip"])
def test_frames_have_the_features_of_the_network_on_each(family: str, tmp_path: Path) -> None:
    model, reference = FAMILIES[family](tmp_path)
    seen = video(FRAMES, SIDE)
    made = maker(model, per_frame=True, clips=2)
    made.require()
    with torch.no_grad():
        each = torch.stack([reference(seen[:, at : at + 1].double()) for at in range(FRAMES)], 1)
        found = made.answer(batch(seen), False)
    scale = each.abs().max().item()
    torch.testing.assert_close(found.double(), each, atol=1e-5 * scale, rtol=0)
    crops = made.averaged(found, 2)
    assert crops.shape == (1, FRAMES, each.shape[-1])
    np.testing.assert_allclose(crops, each.mean(0, keepdim=True), atol=1e-5 * scale)


def test_a_method_says_what_the_last_layer_sees_and_has_streams(tmp_path: Path) -> None:
    model, reference = FAMILIES["open_clip"](tmp_path)
    seen = video(FRAMES, SIDE)
    with torch.no_grad():
        raw = reference(seen.double()).float()
        for stream, expected in (("", raw.flip(-1)), ("turned", raw.flip(-1)), ("squares", raw**2)):
            made = maker(model, Turned(), stream=stream)
            made.require()
            torch.testing.assert_close(
                made.answer(batch(seen), False), expected, atol=1e-5, rtol=1e-4
            )
    with pytest.raises(UsageError, match="--stream scene: it has turned, squares"):
        maker(model, Turned(), stream="scene").require()
    with pytest.raises(UsageError, match="that of the last layer alone"):
        maker(model, stream="scene").require()


def test_frames_of_a_model_that_sees_whole_clips_are_refused() -> None:
    with pytest.raises(UsageError, match="sees whole clips, no single frames"):
        maker(linear("conv3d"), per_frame=True).require()


def test_s3d_averages_what_enters_its_last_convolution() -> None:
    """Of a network of its shape, since S3D itself takes clips of 224 pixels."""
    body, last = nn.Conv3d(3, 5, 3), nn.Conv3d(5, 4, 1)

    class Ends(nn.Module):
        classes, frames = ["a", "b", "c", "d"], 4
        recipe = {"size": 8}  # noqa: RUF012

        def __init__(self) -> None:
            super().__init__()
            self.body, self.last = body, last

        def forward(self, seen: Tensor) -> Tensor:
            return self.last(self.body(seen.transpose(1, 2))).mean((2, 3, 4))

    from sbtools.models.external import Scorer
    from sbtools.models.recipe import Recipe

    model = Scorer(Ends(), list("abcd"), Recipe(size=8), 4)
    seen = video(4, 8)
    with torch.no_grad():
        expected = body(seen.transpose(1, 2)).mean((2, 3, 4))
        for _ in range(2):  # found, and then known
            found = maker(model).answer(batch(seen), False)
            torch.testing.assert_close(found, expected)
