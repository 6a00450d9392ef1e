"""Crops, flips and resizing against slow references."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from sbtools.loader import geometry
from sbtools.loader.geometry import Crop
from sbtools.models.recipe import Recipe


def under(new: int, old: int) -> np.ndarray:
    """For each new pixel the old one that its centre lies in; on a border, the one after it."""
    return (2 * np.arange(new) + 1) * old // (2 * new)


def nearest(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Each pixel takes what lies under its centre."""
    rows, columns = (under(new, old) for new, old in zip(size, mask.shape, strict=True))
    return mask[rows][:, columns]


def clear(size: tuple[int, int], old: tuple[int, int]) -> np.ndarray:
    """Where no centre lies on the border of two old pixels: bool [H, W]."""
    rows, columns = (
        (2 * np.arange(n) + 1) * o % (2 * n) != 0 for n, o in zip(size, old, strict=True)
    )
    return rows[:, None] & columns


@pytest.mark.parametrize("old", [(48, 64), (37, 53), (90, 31)])
@pytest.mark.parametrize("new", [(27, 35), (73, 61), (17, 50)])
def test_masks_take_the_nearest_pixel(old: tuple[int, int], new: tuple[int, int]) -> None:
    mask = np.random.default_rng(0).random(old) < 0.4
    found, where = geometry.scale_mask(mask, new), clear(new, old)
    assert np.array_equal(found[where], nearest(mask, new)[where])
    assert where.any() and set(np.unique(found)) <= {0, 1}


def test_masks_are_not_shifted() -> None:
    mask = np.zeros((90, 90), np.bool_)
    mask[30:60, 30:60] = True
    found = geometry.scale_mask(mask, (30, 30))
    y, x = np.nonzero(found)
    assert (y.min(), y.max(), x.min(), x.max()) == (10, 19, 10, 19)


def test_short_side() -> None:
    assert geometry.short_size((240, 320), 256) == (256, 341)
    assert geometry.short_size((1080, 608), 256) == (455, 256)
    assert geometry.short_size((64, 64), 73) == (73, 73)
    assert geometry.short_size((3, 3000), 256)[0] == 256


@pytest.mark.parametrize("flip", [False, True])
def test_cut_is_crop_then_resize_then_mirror(flip: bool) -> None:
    frame = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    out = np.empty((16, 16, 3), np.uint8)
    geometry.cut(frame, Crop(7, 3, 30, 24, flip), 16, out)
    slow = cv2.resize(frame[3:27, 7:37].copy(), (16, 16), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(out, np.flip(slow, 1) if flip else slow)
    mask = frame[..., 0] > 128
    found = geometry.cut_mask(mask.view(np.uint8), Crop(7, 3, 30, 24, flip), 16)
    slow_mask = nearest(mask[3:27, 7:37], (16, 16))
    assert found.dtype == np.bool_
    where = clear((16, 16), (24, 30))
    back = np.flip(found, 1) if flip else found
    assert np.array_equal(back[where], slow_mask[where])


def test_bicubic_is_that_of_pillow() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (90, 70, 3), np.uint8)
    found = geometry.scale(frame, (45, 35), "bicubic")
    slow = Image.fromarray(frame).resize((35, 45), Image.Resampling.BICUBIC)
    assert np.array_equal(found, np.asarray(slow))


def test_multiscale_crops_by_enumeration() -> None:
    """Sides 256, 224, 192, 168 of a 256 x 340 frame, one step apart, at 5 or 13 places."""
    sides = [256, 224, 192, 168]
    pairs = {(w, h) for i, w in enumerate(sides) for j, h in enumerate(sides) if abs(i - j) < 2}
    draw = np.random.default_rng(0)
    for name, places in (("multiscale5", 5), ("multiscale13", 13)):
        recipe = Recipe(crop=name)
        crops = [geometry.random_crop((256, 340), recipe, True, draw) for _ in range(4000)]
        assert {(c.width, c.height) for c in crops} == pairs
        smallest = [c for c in crops if (c.width, c.height) == (168, 168)]
        assert len({(c.x, c.y) for c in smallest}) == places
        assert max(c.x for c in smallest) == (340 - 168) // 4 * 4
        assert all(c.x + c.width <= 340 and c.y + c.height <= 256 for c in crops)
        assert 0.46 < np.mean([c.flip for c in crops]) < 0.54


def test_sides_within_three_pixels_snap_to_the_input() -> None:
    draw = np.random.default_rng(0)
    crops = [geometry.random_crop((73, 73), Recipe(size=64), True, draw) for _ in range(200)]
    assert {c.width for c in crops} == {73, 64, 54, 48}  # int(73 * .875) is 63


def test_test_crops() -> None:
    assert geometry.centre_crop((256, 340), 224) == Crop(58, 16, 224, 224)
    wide = [geometry.third_crop((224, 299), 224, n) for n in range(3)]
    assert [(c.x, c.y) for c in wide] == [(0, 0), (74, 0), (37, 0)]
    tall = [geometry.third_crop((299, 224), 224, n) for n in range(3)]
    assert [(c.x, c.y) for c in tall] == [(0, 0), (0, 74), (0, 37)]


@pytest.mark.parametrize(
    ("name", "sided"),
    [
        ("walk-left", True),
        ("Pushing something from right to left", True),
        ("turn_left", True),
        ("TurnRight", True),
        ("RIGHT hook", True),
        ("a left-handed pass", True),
        ("brightening", False),
        ("cleft", False),
        ("something leftover", False),
        ("upright", False),
        ("", False),
    ],
)
def test_names_that_tell_sides(name: str, sided: bool) -> None:
    assert geometry.tells_sides(name) is sided
    assert geometry.may_flip(Recipe(flip="auto"), "wave", name) is not sided
    assert geometry.may_flip(Recipe(flip="always"), name) is True
    assert geometry.may_flip(Recipe(flip="never"), name) is False


def test_whether_clips_may_flip_changes_no_other_draw() -> None:
    draws = [np.random.default_rng(4) for _ in range(2)]
    for _ in range(50):
        one, two = (
            geometry.random_crop((60, 80), Recipe(size=32), flips, draw)
            for flips, draw in zip((True, False), draws, strict=True)
        )
        assert (one.x, one.y, one.width, one.height) == (two.x, two.y, two.width, two.height)
        assert not two.flip
