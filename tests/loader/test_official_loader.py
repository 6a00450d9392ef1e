"""Sampling and crops against the official codes, which draw what ours draws.

The classes are cut out of their files: importing those needs mmcv, decord and apex.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sbtools.loader import geometry, sampling
from sbtools.models.recipe import Recipe


class Drawn:
    """Stands in for random and numpy.random in the official code: draws from our generator."""

    def __init__(self, seed: int) -> None:
        self.generator = np.random.default_rng(seed)

    def randint(self, high: int, size: int | None = None) -> Any:
        return self.generator.integers(high, size=size)

    def choice(self, items: list[Any]) -> Any:
        return items[self.generator.integers(len(items))]


def cut(path: Path, name: str, **known: Any) -> Any:
    """The class or function `name` of a file, alone, with these globals."""
    space: dict[str, Any] = dict(known)
    exec(compiled(path, name), space)
    return space[name]


@cache
def compiled(path: Path, name: str) -> Any:
    tree = ast.parse(path.read_text())
    (found,) = (node for node in tree.body if getattr(node, "name", "") == name)
    found.decorator_list = []  # type: ignore[attr-defined]
    return compile(ast.Module([found], []), str(path), "exec")


def numpy_of(drawn: Drawn) -> Any:
    """numpy as the official code knew it, with our draws."""
    names = {name: getattr(np, name) for name in dir(np) if not name.startswith("_")}
    return SimpleNamespace(**{**names, "int": int, "random": drawn})


COUNTS = [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 64, 299, 300]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("frames", [1, 8, 16])
def test_vifi_sampling(official: Path, count: int, frames: int) -> None:
    path = official / "ViFi-CLIP/datasets/pipeline.py"
    drawn = Drawn(count)
    sampler = cut(path, "SampleFrames", np=numpy_of(drawn))
    given = {"total_frames": count, "start_index": 0}
    train = sampler(1, 1, frames)(dict(given))["frame_inds"].tolist()
    ours = sampling.training("vifi", count, frames, np.random.default_rng(count))
    assert ours == train
    test = sampler(1, 1, frames, test_mode=True)(dict(given))["frame_inds"].tolist()
    assert sampling.test("vifi", count, frames) == test


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("frames", [1, 8, 16])
def test_actionclip_sampling(official: Path, count: int, frames: int) -> None:
    path = official / "ActionCLIP/datasets/datasets.py"
    drawn = Drawn(count)
    dataset = cut(
        path,
        "Action_DATASETS",
        np=numpy_of(drawn),
        randint=drawn.randint,
        data=SimpleNamespace(Dataset=object),
    )
    own = SimpleNamespace(num_segments=frames, seg_length=1, total_length=frames, loop=False)
    own.index_bias = 0
    record = SimpleNamespace(num_frames=count)
    train = dataset._sample_indices(own, record).tolist()
    ours = sampling.training("actionclip", count, frames, np.random.default_rng(count))
    assert ours == train
    test = dataset._get_val_indices(own, record).tolist()
    assert sampling.test("actionclip", count, frames) == test


SIZES = [(256, 340), (340, 256), (256, 256), (288, 300)]


class Ours:
    """Our draws but the flip, which the official codes draw elsewhere."""

    def __init__(self, seed: int) -> None:
        self.generator = np.random.default_rng(seed)

    def random(self) -> float:
        return 1.0

    def integers(self, high: int) -> int:
        return int(self.generator.integers(high))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", range(25))
def test_vifi_crop(official: Path, size: tuple[int, int], seed: int) -> None:
    path = official / "ViFi-CLIP/datasets/pipeline.py"
    pair = (224, 224)
    crop = cut(
        path,
        "MultiScaleCrop",
        np=np,
        random=Drawn(seed),
        RandomCrop=object,
        _pair=lambda side: pair,
        mmcv=SimpleNamespace(is_tuple_of=lambda *given: True),
        _init_lazy_if_proper=lambda *given: None,
    )
    results = {"img_shape": size}
    theirs = crop(224, scales=(1, 0.875, 0.75, 0.66))(results)["crop_bbox"].tolist()
    found = geometry.random_crop(size, Recipe(), False, Ours(seed))  # type: ignore[arg-type]
    assert [found.x, found.y, found.x + found.width, found.y + found.height] == theirs


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", range(25))
def test_actionclip_crop(official: Path, size: tuple[int, int], seed: int) -> None:
    path = official / "ActionCLIP/datasets/transforms_ss.py"
    crop = cut(path, "GroupMultiScaleCrop", random=Drawn(seed), Image=SimpleNamespace(BILINEAR=2))
    theirs = crop(224, [1, 0.875, 0.75, 0.66])._sample_crop_size(size[::-1])
    recipe = Recipe(crop="multiscale13")
    found = geometry.random_crop(size, recipe, False, Ours(seed))  # type: ignore[arg-type]
    assert (found.width, found.height, found.x, found.y) == theirs


@pytest.mark.parametrize("size", [(224, 299), (299, 224), (224, 224)])
def test_vifi_three_crops(official: Path, size: tuple[int, int]) -> None:
    path = official / "ViFi-CLIP/datasets/pipeline.py"
    crop = cut(
        path,
        "ThreeCrop",
        np=np,
        _pair=lambda side: (side, side),
        mmcv=SimpleNamespace(is_tuple_of=lambda *given: True),
        _init_lazy_if_proper=lambda *given: None,
    )
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    views = crop(224)({"imgs": [image]})["imgs"]
    for number, theirs in enumerate(views):
        found = geometry.third_crop(size, 224, number)
        out = np.empty((224, 224, 3), np.uint8)
        geometry.cut(image, found, 224, out)
        assert np.array_equal(out, theirs)
