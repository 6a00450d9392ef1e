"""Blobs in place of shapes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from sbtools.mask import controls
from sbtools.mask.equations import regions

SIDES = (24, 36)


def shapes(count: int = 6, frames: int = 3, seed: int = 0) -> dict[str, torch.Tensor]:
    """Masks of all sizes that overlap, some empty, some full."""
    draw = np.random.default_rng(seed)
    made = {}
    for name in ("person", "object", "person_box", "object_box"):
        share = draw.uniform(0, 0.5, (count, frames, 1, 1))
        made[name] = torch.from_numpy(draw.random((count, frames, *SIDES)) < share)
    made["person"][0], made["object"][0] = False, True
    made["person"][1], made["object"][1] = True, True
    made["object"][2] = False
    return made


def draws(count: int = 6, seed: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng([seed, place]) for place in range(count)]


@pytest.mark.parametrize("mode", ["bg", "obj-box", "obj-shape", "bg+obj", "person-box"])
def test_every_frame_hides_exactly_as_many_pixels(mode: str) -> None:
    given = shapes()
    made = controls.random_shapes(given, draws())
    for real, blob in zip(regions(mode, **given), regions(mode, **made), strict=True):
        assert real.sum((-2, -1)).tolist() == blob.sum((-2, -1)).tolist()
    assert torch.equal(made["person"].sum((-2, -1)), given["person"].sum((-2, -1)))


def test_objects_stand_beside_the_person_and_its_box_around_it() -> None:
    made = controls.random_shapes(shapes(), draws())
    for name in ("object", "object_box"):
        assert not (made[name] & made["person"]).any()
    assert not (made["person"] & ~made["person_box"]).any()


def test_the_largest_values_of_a_field_by_hand() -> None:
    field = torch.tensor([[[1.0, 5, 3], [2, 4, 0]]])
    for count, wanted in ((0, []), (1, [5]), (3, [3, 4, 5]), (6, [0, 1, 2, 3, 4, 5])):
        like = torch.arange(6).reshape(1, 2, 3) >= 6 - count
        mask = controls.largest(field, like)
        assert sorted(field[mask].tolist()) == wanted


def blobs(seed: int = 0, frames: int = 8) -> torch.Tensor:
    given = torch.zeros(40, frames, 64, 64, dtype=torch.bool)
    given[..., :20, :30] = True
    return controls.random_shapes({"person": given}, draws(40, seed))["person"]


def test_a_blob_is_one_piece_without_holes_of_no_fixed_place() -> None:
    found = blobs()[:, 0].numpy().astype(np.uint8)
    pieces = [cv2.connectedComponents(mask, connectivity=8)[0] - 1 for mask in found]
    assert np.mean(np.array(pieces) == 1) > 0.8
    middles = np.array([np.argwhere(mask).mean(0) for mask in found])
    assert (middles.std(0) > 8).all()
    assert np.abs(middles.mean(0) - 32).max() < 6


def test_a_blob_drifts_and_is_another_for_another_draw() -> None:
    found = blobs().float().flatten(2)

    def overlap(a: torch.Tensor, b: torch.Tensor) -> float:
        return float(((a * b).sum(-1) / torch.maximum(a, b).sum(-1)).mean())

    follows, first_to_last = overlap(found[:, 0], found[:, 1]), overlap(found[:, 0], found[:, -1])
    assert 0.85 < follows < 1
    assert first_to_last < follows
    assert overlap(found[:, 0], blobs(1).float().flatten(2)[:, 0]) < 0.5
    assert torch.equal(blobs(), blobs())


def test_blobs_lie_upright_in_frames_that_are_not_square() -> None:
    """x runs along the columns: over many draws the middles fill the frame."""
    given = torch.zeros(60, 1, 20, 200, dtype=torch.bool)
    given[..., :4, :4] = True
    made = controls.random_shapes({"person": given}, draws(60))["person"][:, 0]
    middles = np.array([np.argwhere(mask.numpy()).mean(0) for mask in made])
    for axis, side in enumerate((20, 200)):
        assert abs(middles[:, axis].mean() - side / 2) < 0.1 * side
        assert 0.15 * side < middles[:, axis].std() < 0.3 * side
