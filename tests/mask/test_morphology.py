"""Grown and shrunk masks against scipy's, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation, binary_erosion

from sbtools.mask.equations import boxes_to_mask
from sbtools.mask.morphology import dilated, eroded, pixels_of


def mask_of(*rows: str) -> torch.Tensor:
    return torch.tensor([[letter == "#" for letter in row] for row in rows])


def test_by_hand() -> None:
    """A pixel becomes a square of nine, cut at the picture's edge; the square becomes the pixel."""
    small = mask_of(
        "........",
        "........",
        "..#.....",
        ".......#",
        "........",
        "........",
    )
    large = mask_of(
        "........",
        ".###....",
        ".###..##",
        ".###..##",
        "......##",
        "........",
    )
    assert torch.equal(dilated(small, 1), large)
    assert torch.equal(eroded(large, 1), small)
    assert not eroded(small, 1).any()


@pytest.mark.parametrize("pixels", [1, 2, 4])
def test_it_is_scipys_with_a_square(pixels: int) -> None:
    """Beyond the edge there is nothing to dilate, and nothing that erodes."""
    generator = np.random.default_rng(pixels)
    square = np.ones((2 * pixels + 1, 2 * pixels + 1), np.bool_)
    for share in (0.02, 0.9):
        masks = generator.random((2, 3, 17, 24)) < share
        found = {
            name: change(torch.from_numpy(masks), pixels).numpy()
            for name, change in (("dilated", dilated), ("eroded", eroded))
        }
        for at in np.ndindex(2, 3):
            want = binary_dilation(masks[at], square)
            np.testing.assert_array_equal(found["dilated"][at], want)
            want = binary_erosion(masks[at], square, border_value=1)
            np.testing.assert_array_equal(found["eroded"][at], want)
        assert found["dilated"].dtype == np.bool_ and found["dilated"].any()
        if pixels == 1:
            assert found["eroded"].any() == (share > 0.5)


def test_a_box_is_the_box_with_its_sides_moved() -> None:
    def box(*xyxy: float) -> torch.Tensor:
        return boxes_to_mask(torch.tensor([xyxy]), 20, 30)

    assert torch.equal(dilated(box(4, 6, 12, 13), 3), box(1, 3, 15, 16))
    assert torch.equal(eroded(box(4, 6, 12, 13), 3), box(7, 9, 9, 10))
    assert torch.equal(dilated(box(1, 6, 12, 19), 3), box(0, 3, 15, 20))
    assert torch.equal(eroded(box(0, 6, 12, 20), 3), box(0, 9, 9, 20))
    assert not eroded(box(4, 6, 12, 12), 3).any()


def test_masks_of_no_clip_and_masks_that_are_all_or_nothing() -> None:
    for change in (dilated, eroded):
        assert change(torch.zeros(0, 2, 8, 8, dtype=torch.bool), 2).shape == (0, 2, 8, 8)
        assert not change(torch.zeros(1, 1, 8, 8, dtype=torch.bool), 2).any()
        assert change(torch.ones(1, 1, 8, 8, dtype=torch.bool), 2).all()


def test_how_many_pixels() -> None:
    """2 % of the shorter side, rounded half up: of 224 that is 4.48, of 112 2.24."""
    sides = {224: 4, 112: 2, 64: 1, 16: 1, 75: 2, 74: 1, 336: 7}
    assert {side: pixels_of(side) for side in sides} == sides
