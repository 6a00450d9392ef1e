"""Training crops beside torchvision's."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms import RandomCrop, RandomResizedCrop, transforms

from sbtools.loader import Clips, Sample
from sbtools.loader.geometry import CROPS, Crop, random_crop
from sbtools.models import recipe
from sbtools.models.recipe import Recipe
from tests.loader.made import PLAIN, make

SIZES = [(256, 341), (300, 256), (40, 400), (64, 64), (900, 50)]


class Drawn:
    """torch, as far as RandomResizedCrop and RandomCrop use it, drawing by numpy in float64."""

    def __init__(self, seed: int) -> None:
        self.draw = np.random.default_rng(seed)

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def tensor(self, values: Any) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float64)

    def empty(self, count: int) -> Any:
        def uniform_(low: float, high: float) -> torch.Tensor:
            return torch.tensor([self.draw.uniform(float(low), float(high))], dtype=torch.float64)

        return SimpleNamespace(uniform_=uniform_)

    def randint(self, low: int, high: int, size: tuple[int, ...]) -> torch.Tensor:
        return torch.tensor([int(self.draw.integers(low, high))])


@pytest.mark.parametrize("size", SIZES)
def test_resized_is_torchvisions_on_the_same_draws(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    image, found = torch.zeros(3, *size), []
    for seed in range(200):
        monkeypatch.setattr(transforms, "torch", Drawn(seed))
        y, x, height, width = RandomResizedCrop.get_params(image, [0.08, 1.0], [3 / 4, 4 / 3])
        ours = CROPS["resized"](size, 224, np.random.default_rng(seed))
        assert ours == Crop(x, y, width, height), seed
        found.append(ours)
    if min(size) > 60:  # in the others no draw may fit, and the middle is taken
        assert len(set(found)) > 190


def test_resized_is_spread_as_torchvisions_is() -> None:
    """Quartiles of area and ratio over 4,000 draws of each, by their own generators."""
    torch.manual_seed(0)
    image, draw = torch.zeros(3, 256, 341), np.random.default_rng(0)
    theirs = [RandomResizedCrop.get_params(image, [0.08, 1.0], [3 / 4, 4 / 3]) for _ in range(4000)]
    ours = [CROPS["resized"]((256, 341), 224, draw) for _ in range(4000)]
    for measure in (lambda h, w: h * w / 87296, lambda h, w: math.log(w / h)):
        a = np.quantile([measure(h, w) for _, _, h, w in theirs], [0.25, 0.5, 0.75])
        b = np.quantile([measure(c.height, c.width) for c in ours], [0.25, 0.5, 0.75])
        assert np.abs(a - b).max() < 0.03


def test_random_is_torchvisions_on_the_same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(50):
        monkeypatch.setattr(transforms, "torch", Drawn(seed))
        y, x, height, width = RandomCrop.get_params(torch.zeros(3, 40, 55), (32, 32))
        assert CROPS["random"]((40, 55), 32, np.random.default_rng(seed)) == Crop(
            x, y, width, height
        )


@pytest.mark.parametrize("name", CROPS)
def test_every_crop_lies_in_the_frame_and_half_are_mirrored(name: str) -> None:
    draw, shown = np.random.default_rng(0), Recipe(size=32, crop=name)
    crops = [random_crop((36, 50), shown, True, draw) for _ in range(300)]
    assert all(0 <= c.x <= 50 - c.width and 0 <= c.y <= 36 - c.height for c in crops)
    assert 100 < Counter(c.flip for c in crops)[True] < 200
    assert not any(random_crop((36, 50), shown, False, draw).flip for _ in range(20))


def test_recipes_know_the_same_crops() -> None:
    assert tuple(CROPS) == recipe.CROPS


def test_masks_follow_resized_crops_of_dense_frames(tmp_path: Path) -> None:
    """What is white in the pixels is what the mask says, and frames are two apart."""
    shown = replace(PLAIN, crop="resized", sampling="dense:6x2", flip="always")
    records = make(tmp_path, ["a", "b"], 24)
    clips = Clips(records, (), shown, frames=6, needs={"masks"}, root=tmp_path)
    starts = set()
    for epoch in range(8):
        for place in range(2):
            sample = clips[place, epoch]
            assert isinstance(sample, Sample)
            white = sample.frames.min(-1) > 128
            assert (white ^ sample.arrays["person"]).mean() < 0.02
            blue = [np.median(f[..., 2][f[..., 0] < 60]) / 4 for f in sample.frames]
            assert np.allclose(np.diff(blue), 2, atol=0.3)
            starts.add(round(blue[0]))
    assert len(starts) > 4
