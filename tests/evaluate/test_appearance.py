"""Views of objects and of clothes: whose pixels they show, and what they do not tell."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from sbtools.evaluate import views
from sbtools.evaluate.appearance import nearest_to_middle, turned
from sbtools.rng import Draws

DRAWS = Draws(seed=5)
SIDE, T = 32, 4
GROUND = [0.0, 0.0, 0.0]
"""Of --fill mean, normalised."""


def batch_of(mask: Any, which: str, video: Any = None, id: str = "a") -> dict[str, Any]:
    """One clip whose pixels all differ, from 1 on, with that mask [T, H, W]; others are empty."""
    held = torch.as_tensor(np.asarray(mask, bool))[None]
    shape = (1, held.shape[1], 3, *held.shape[2:])
    numbers = torch.arange(1, math.prod(shape) + 1, dtype=torch.float64).reshape(shape)
    masks = {name: torch.zeros_like(held) for name in ("person", "object")} | {which: held}
    return {"video": numbers if video is None else video, "label": torch.tensor([0]), "id": [id],
            **masks}  # fmt: skip


def shown(name: str, batch: dict[str, Any], draws: Draws = DRAWS) -> torch.Tensor:
    found: torch.Tensor = views.build(name, fill="mean").apply(batch, draws)["video"]
    return found


def squares(*places: tuple[int, slice, slice]) -> np.ndarray:
    mask = np.zeros((T, SIDE, SIDE), bool)
    for frame, rows, columns in places:
        mask[frame, rows, columns] = True
    return mask


@pytest.mark.parametrize(
    ("there", "wanted"),
    [([0, 1, 2, 3], 2), ([0, 1, 3], 1), ([3], 3), ([0], 0), ([0, 3], 3), ([], None)],
)
def test_the_frame_is_the_one_with_a_mask_nearest_to_the_middle(
    there: list[int], wanted: int | None
) -> None:
    mask = torch.zeros(4, 2, 2, dtype=torch.bool)
    mask[there, 0, 1] = True
    assert nearest_to_middle(mask) == wanted


@pytest.mark.parametrize(("name", "which"), [("objects", "object"), ("clothes", "person")])
def test_only_pixels_under_the_mask_of_one_frame_are_seen_and_they_stand_still(
    name: str, which: str
) -> None:
    mask = squares((1, slice(3, 19), slice(20, 30)), (3, slice(0, 9), slice(0, 9)))
    batch = batch_of(mask, which)
    found = shown(name, batch)[0]
    assert all(torch.equal(frame, found[0]) for frame in found)
    own = set(map(tuple, batch["video"][0, 1, :, 3:19, 20:30].flatten(1).T.tolist()))
    seen = set(map(tuple, found[0].flatten(1).T.tolist()))
    assert len(seen) > 5 and seen <= own | {tuple(GROUND)}
    assert (tuple(GROUND) in seen) == (name == "objects")


@pytest.mark.parametrize(("name", "which"), [("objects", "object"), ("clothes", "person")])
def test_a_clip_without_the_mask_is_all_of_one_colour(name: str, which: str) -> None:
    found = shown(name, batch_of(squares(), which))
    assert found.shape == (1, T, 3, SIDE, SIDE) and not found.any()


@pytest.mark.parametrize(("name", "which"), [("objects", "object"), ("clothes", "person")])
def test_the_place_of_the_mask_and_its_size_are_not_seen(name: str, which: str) -> None:
    """The same pixels elsewhere, or twice as large, are the same picture."""
    look = torch.arange(1.0, 193.0).reshape(3, 8, 8)

    def seen(top: int, left: int, larger: int = 1) -> torch.Tensor:
        side = 8 * larger
        place = slice(top, top + side), slice(left, left + side)
        video = torch.full((1, T, 3, SIDE, SIDE), -1.0)
        each = look.repeat_interleave(larger, 1).repeat_interleave(larger, 2)
        video[0, 2][:, place[0], place[1]] = each
        return shown(name, batch_of(squares((2, *place)), which, video))

    first = seen(2, 3)
    assert torch.equal(seen(20, 14), first)
    if name == "objects":
        counts = [set(seen(2, 3, larger)[0, 0].unique().tolist()) for larger in (1, 2)]
        assert counts[0] <= counts[1] | {0.0} and (seen(2, 3, 2) != 0).float().mean() > 0.3


def test_objects_fill_the_picture_and_stand_in_its_middle() -> None:
    for id in "abcdefgh":
        batch = batch_of(squares((2, slice(1, 4), slice(25, 31))), "object", id=id)
        there = shown("objects", batch)[0, 0, 0] != 0
        rows, columns = (torch.nonzero(there.any(axis))[:, 0] for axis in (1, 0))
        spans = [int(lines[-1] - lines[0]) + 1 for lines in (rows, columns)]
        assert max(spans) == SIDE
        for lines in (rows, columns):
            assert abs(int(lines[0]) - (SIDE - 1 - int(lines[-1]))) <= 1


def test_how_objects_are_held_is_not_seen() -> None:
    """A stick that is held upright is shown at any angle, by the clip and not by how it is held."""
    upright, lying = ((slice(5, 25), slice(8, 10)), (slice(8, 10), slice(5, 25)))
    tall = []
    for place in (upright, lying):
        for number in range(40):
            batch = batch_of(squares((2, *place)), "object", id=f"clip {number}")
            there = shown("objects", batch)[0, 0, 0] != 0
            tall.append(int(there.any(1).sum()) > int(there.any(0).sum()))
    assert 10 <= sum(tall[:40]) <= 30 and 10 <= sum(tall[40:]) <= 30


def test_a_turn_takes_every_pixel_along() -> None:
    """By hand: a quarter turn of a row is a column; a turn by nothing leaves all as it is."""
    frame = torch.arange(45.0).reshape(3, 3, 5)
    mask = torch.zeros(3, 5, dtype=torch.bool)
    mask[1] = True
    for angle, rows in ((0.0, 1), (math.pi, 1), (math.pi / 2, 5)):
        cut, kept = turned(frame, mask, angle)
        assert int(kept.sum()) == 5 and int(kept.any(1).sum()) == rows
        assert sorted(cut[0][kept].tolist()) == frame[0, 1].tolist()
    assert turned(frame, mask, 0.0)[0][0][turned(frame, mask, 0.0)[1]].tolist() == [5, 6, 7, 8, 9]
    drawn = np.random.default_rng(0)
    for _ in range(300):
        lone = torch.zeros(3, 5, dtype=torch.bool)
        lone[drawn.integers(3), drawn.integers(5)] = True
        assert turned(frame, lone, float(drawn.uniform(0, 7)))[1].any()


def test_clothes_are_squares_of_people_and_pixels_of_thin_ones() -> None:
    """Squares of two pixels in a picture of 32: what stands beside a pixel stands beside it still;
    of a line of one pixel, single pixels."""
    batch = batch_of(squares((2, slice(4, 20), slice(4, 20))), "person")
    found = shown("clothes", batch)[0, 0, 0]
    assert torch.equal(found[:, 1::2] - found[:, ::2], torch.ones(SIDE, SIDE // 2).double())
    thin = batch_of(squares((2, slice(4, 20), slice(4, 5))), "person")
    seen = set(shown("clothes", thin)[0, 0, 0].flatten().tolist())
    assert seen == set(thin["video"][0, 2, 0, 4:20, 4].tolist())


def test_what_is_drawn_goes_with_the_clip_and_the_seed() -> None:
    mask = squares((2, slice(4, 20), slice(4, 20)))
    one = shown("clothes", batch_of(mask, "person"))
    assert torch.equal(one, shown("clothes", batch_of(mask, "person")))
    assert not torch.equal(one, shown("clothes", batch_of(mask, "person", id="b")))
    assert not torch.equal(one, shown("clothes", batch_of(mask, "person"), Draws(seed=6)))


def test_a_clip_that_is_shown_as_its_plate_has_no_hole() -> None:
    """By hand: the hole is where the person ever is; a clip with a plate is flat ground."""
    mask = squares((1, slice(0, 2), slice(0, 2)), (3, slice(4, 6), slice(0, 2)))
    batch = batch_of(mask, "person")
    batch["person_box"] = torch.zeros_like(batch["person"])
    plate = {"plate": torch.zeros_like(batch["video"])}
    found = shown("scene-hole", batch)[0, :, 0]
    assert all(torch.equal(frame, found[0]) for frame in found)
    hidden = found[0] == 0
    assert torch.equal(hidden, torch.as_tensor(mask.any(0)))
    for plated in (False, True):
        more = {**batch, **plate, "plated": torch.tensor([plated])}
        assert bool((shown("scene-hole", more) == 0).any()) == (not plated)


def test_the_floor_of_objects_is_the_people_in_their_picture_and_nothing_of_themselves() -> None:
    """By hand, with the angle 0: a box of 4 x 8 is enlarged four times; of its people, who stand
    left of an object and in it, the pixels beside the object are seen, and none outside the box."""
    held = squares((2, slice(8, 12), slice(10, 18)))
    held[2, 9:11, 10:12] = False
    people = squares((2, slice(9, 20), slice(4, 12)), (1, slice(0, 32), slice(0, 32)))
    batch = {**batch_of(held, "object"), "person": torch.as_tensor(people)[None]}
    found = shown("objects-hole", batch, Unturned())[0]
    assert all(torch.equal(frame, found[0]) for frame in found)
    hole = (found[0] != 0).all(0)
    wanted = np.zeros((SIDE, SIDE), bool)
    wanted[8 + 4 : 8 + 12, 0:8] = True
    assert np.array_equal(hole.numpy(), wanted) and len(found[0][:, hole].unique(dim=1).T) == 1
    other = {**batch, "video": batch["video"] + 1}
    assert torch.equal(shown("objects-hole", other, Unturned())[0], found)


def test_the_floor_of_objects_is_turned_and_enlarged_as_they_are() -> None:
    """What objects shows and its floor are never in the same place, and both fill the picture."""
    held, people = (squares((2, slice(8, 20), part)) for part in (slice(8, 14), slice(14, 20)))
    held[2, 8:20, 19], people[2, 8:20, 19] = True, False
    for number in range(20):
        batch = batch_of(held, "object", id=f"clip {number}")
        batch["person"] = torch.as_tensor(people)[None]
        things, hole = (shown(n, batch)[0, 0].abs().sum(0) > 0 for n in ("objects", "objects-hole"))
        assert not bool((things & hole).sum() > 0.05 * SIDE**2)
        assert int(hole.sum()) > 0.2 * SIDE**2 and int(things.sum()) > 0.2 * SIDE**2


class Unturned(Draws):
    """Draws that turn nothing."""

    def __init__(self) -> None:
        super().__init__(seed=0)

    def clip(self, id: str, *purpose: str) -> Any:
        return type("Angle", (), {"uniform": staticmethod(lambda low, high: 0.0)})


def test_the_floor_of_clothes_has_their_squares_in_drawn_colours() -> None:
    """What is equal in clothes is equal in its floor and nothing else is; two clips that differ in
    colour alone are told apart by clothes, and their colours are drawn by the clip."""
    mask = squares((2, slice(4, 20), slice(4, 20)))
    video = torch.linspace(-1, 1, SIDE).expand(1, T, 3, SIDE, SIDE).clone()
    batch = batch_of(mask, "person", video)
    plain, floor = (shown(name, batch)[0, 0] for name in ("clothes", "clothes-restyled"))
    assert plain.unique().numel() == 16
    for value in plain[0].unique():
        assert len(floor[:, plain[0] == value].unique(dim=1).T) == 1
    assert floor[0].unique().numel() == 16 and not torch.equal(floor, plain)
    assert not torch.equal(floor, shown("clothes-restyled", {**batch, "id": ["b"]})[0, 0])
