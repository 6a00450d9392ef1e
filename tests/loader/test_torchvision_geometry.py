"""ActionCLIP's test geometry against torchvision.transforms, which its official code calls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize
from torchvision.transforms import functional as official

from sbtools.loader import Clips, Sample, geometry
from sbtools.loader.geometry import Crop
from sbtools.models.recipe import Recipe
from sbtools.records import Record
from tests.loader.made import make, shapes

SIDES = st.integers(16, 3000)


def as_torchvision(size: tuple[int, int], short: int, side: int) -> tuple[tuple[int, int], Crop]:
    """The size of Resize, and the corner that CenterCrop hands to `crop`."""
    resized = official._compute_resized_output_size(size, [short])
    corners: list[tuple[int, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(official, "get_dimensions", lambda _: (3, *resized))
        patch.setattr(official, "crop", lambda _, top, left, *sides: corners.append((top, left)))
        official.center_crop(None, [side, side])
    ((top, left),) = corners
    return tuple(resized), Crop(left, top, side, side)


@settings(max_examples=1500, deadline=None)
@given(height=SIDES, width=SIDES, side=st.integers(16, 400), more=st.integers(0, 80))
def test_sizes_and_corners(height: int, width: int, side: int, more: int) -> None:
    short = side + more
    size, crop = as_torchvision((height, width), short, side)
    assert geometry.short_size((height, width), short, "bicubic") == size
    assert geometry.centre_crop(size, side, how="bicubic") == crop


@pytest.mark.parametrize(
    ("size", "resized", "corner"),
    [((720, 1280), (256, 455), 116), ((144, 176), (256, 312), 44), ((432, 240), (460, 256), 118)],
)
def test_by_hand(size: tuple[int, int], resized: tuple[int, int], corner: int) -> None:
    """256 * 1280 / 720 is 455.1, of which 231 are left: 115.5, and 116 is even."""
    assert geometry.short_size(size, 256, "bicubic") == resized
    crop = geometry.centre_crop(resized, 224, how="bicubic")
    assert max(crop.x, crop.y) == corner and min(crop.x, crop.y) == 16


@pytest.mark.parametrize(
    ("size", "resized", "corner"),
    [((720, 1280), (256, 455), 115), ((144, 176), (256, 313), 44), ((432, 240), (461, 256), 118)],
)
def test_bilinear_is_mmactions(
    size: tuple[int, int], resized: tuple[int, int], corner: int
) -> None:
    """mmcv.rescale_size adds a half, CenterCrop of the official pipeline.py divides by // 2."""
    assert geometry.short_size(size, 256) == resized
    crop = geometry.centre_crop(resized, 224)
    assert max(crop.x, crop.y) == corner and min(crop.x, crop.y) == 16


RECIPE = Recipe(size=28, short=32, resize_test="bicubic", sampling="actionclip")
ODD = [(45, 77), (77, 45), (73, 61), (37, 65), (101, 131)]
"""Heights and widths for which no pixel's centre lies on a border of two others."""


def through(how: InterpolationMode, image: np.ndarray) -> np.ndarray:
    """Where Resize and CenterCrop bring an image [H, W] or [H, W, 3]."""
    return np.asarray(Compose([Resize(32, how), CenterCrop(28)])(Image.fromarray(image)))


@pytest.mark.parametrize("size", ODD)
def test_frames_are_equal_in_every_byte(size: tuple[int, int], tmp_path: Path) -> None:
    frames = np.random.default_rng(2).integers(0, 256, (3, *size, 3), np.uint8)
    np.save(tmp_path / "clip.npy", frames)
    record: Record = {"id": "a", "arrays": "clip.npy", "label": "x"}
    got = Clips([record], ["x"], RECIPE, frames=3, train=False, root=tmp_path)[0, 0]
    assert isinstance(got, Sample)
    for ours, frame in zip(got.frames, frames, strict=True):
        assert np.array_equal(ours, through(InterpolationMode.BICUBIC, frame))


@pytest.mark.parametrize("size", ODD)
def test_masks_go_where_their_frames_go(size: tuple[int, int], tmp_path: Path) -> None:
    made = make(tmp_path, ["c"], count=3, size=size)
    got = Clips(made, ["walk"], RECIPE, 3, train=False, needs={"masks"}, root=tmp_path)[0, 0]
    assert isinstance(got, Sample)
    for name, masks in shapes(3, *size, 0).items():
        assert masks.any()
        for ours, mask in zip(got.arrays[name], masks, strict=True):
            theirs = through(InterpolationMode.NEAREST, 255 * mask.astype(np.uint8))
            assert np.array_equal(ours, theirs > 0)
