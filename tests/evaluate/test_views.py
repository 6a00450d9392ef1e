"""What models are shown, against the paper's equations a pixel at a time and by hand."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

from sbtools import rng
from sbtools.errors import SbtoolsError, UsageError
from sbtools.evaluate import views
from sbtools.mask.fill import NORMALISE
from sbtools.rng import Draws
from tests.methods.batches import NAMES, clips, slow

DRAWS = Draws(seed=5)
MASKED = [name for name in views.VIEWS if views.build(name).masked]
MODES = ["bg", "bg+obj", "obj-box", "obj-shape"]


def shown(name: str, batch: dict[str, Any], **setup: Any) -> torch.Tensor:
    found: torch.Tensor = views.build(name, **setup).apply(batch, DRAWS)["video"]
    return found


def colours(id: str) -> np.ndarray:
    return rng.generator(DRAWS.seed, id, "fill", 0).standard_normal((2, 3))


def by_hand(mode: str, batch: dict[str, Any], prefix: str = "") -> np.ndarray:
    masks = [batch[f"{prefix}{name}"].numpy() for name in ("person", "object", "object_box")]
    return np.stack(
        [
            slow(mode, batch["video"][row], *(mask[row] for mask in masks), colours(id))
            for row, id in enumerate(batch["id"])
        ]
    )


def tiny(person: Any, person_box: Any, **more: Any) -> dict[str, Any]:
    """One clip of zeros with these masks, lists [T, H, W] of 0 and 1."""
    masks = {"person": person, "person_box": person_box, **more}
    batch = {name: torch.tensor(mask, dtype=torch.bool)[None] for name, mask in masks.items()}
    frames, height, width = batch["person"].shape[1:]
    video = torch.zeros(1, frames, 3, height, width, dtype=torch.float64)
    return {"video": video, "label": torch.tensor([0]), "id": ["a"], **batch}


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_is_its_equation_in_every_frame(mode: str) -> None:
    batch = clips(3, frames=4)
    np.testing.assert_array_equal(shown(mode, batch).numpy(), by_hand(mode, batch))


def test_the_view_of_the_box_hides_box_and_person_in_the_colour_of_the_background() -> None:
    batch = clips(3, frames=2)
    found = shown("person-box", batch).numpy()
    for row, t, y, x in np.ndindex(3, 2, 5, 5):
        hidden = bool(batch["person"][row, t, y, x]) or bool(batch["person_box"][row, t, y, x])
        want = colours(f"clip {row}")[0] if hidden else batch["video"][row, t, :, y, x].numpy()
        np.testing.assert_array_equal(found[row, t, :, y, x], want)


def test_two_by_two_by_hand() -> None:
    batch = tiny(
        [[[1, 0], [0, 0]]], [[[1, 0], [1, 0]]], object=[[[1, 1], [0, 0]]],
        object_box=[[[1, 1], [1, 0]]],
    )  # fmt: skip
    back, thing = (float(colour[0]) for colour in colours("a"))
    for name, wanted in {
        "plain": [[0, 0], [0, 0]],
        "bg": [[0, back], [back, back]],
        "bg+obj": [[0, thing], [back, back]],
        "obj-box": [[0, thing], [thing, 0]],
        "obj-shape": [[0, thing], [0, 0]],
        "person-box": [[back, 0], [back, 0]],
        "box-only": [[back, thing], [back, thing]],
        "scene": [[back, 0], [back, 0]],
        "scene-hole": [[back, thing], [back, thing]],
    }.items():
        assert shown(name, batch)[0, 0, 0].tolist() == wanted, name


def test_the_numbers_of_the_equations() -> None:
    numbers = {name: views.build(name).equation for name in views.VIEWS}
    assert {name: number for name, number in numbers.items() if number} == {
        "bg": 2, "obj-box": 3, "obj-shape": 4, "bg+obj": 5, "person-box": 6,
    }  # fmt: skip
    assert MASKED == list(views.VIEWS)[1:15]
    assert views.CONTROLS == (
        "random", "other", "box-only", "scene", "static", "static-jitter", "shuffled", "reversed",
    )  # fmt: skip


def test_pixels_that_are_not_painted_are_those_of_the_clip_in_all_views() -> None:
    """And where two views paint, they do it in the same two colours."""
    batch = clips(4, frames=3)
    video = batch["video"]
    batch["person"][..., 0] = batch["person_box"][..., 0] = False
    for name in MASKED:
        if name.startswith(("objects", "clothes")):
            continue  # their pixels move: tests/evaluate/test_appearance.py
        found = shown(name, batch)
        for row, id in enumerate(batch["id"]):
            pair = torch.from_numpy(colours(id))[..., None, None]
            painted = [(found[row] == colour).all(1) for colour in pair]
            hidden = painted[0] | painted[1]
            flat = name in ("box-only", "scene-hole")
            assert hidden.any() and flat == bool(hidden.all()), name
            kept = (~hidden)[:, None].expand_as(video[row])
            assert torch.equal(found[row][kept], video[row][kept])


@pytest.mark.parametrize("name", views.VIEWS)
def test_a_view_leaves_the_batch_as_it_is_and_every_clip_to_itself(name: str) -> None:
    batch, view = clips(4, frames=4), views.build(name, p_view="bg+obj")
    before = {key: value.clone() for key, value in batch.items() if torch.is_tensor(value)}
    made = view.apply(batch, DRAWS)
    assert made is not batch and made["id"] == batch["id"] and made.keys() == batch.keys()
    assert all(torch.equal(batch[key], value) for key, value in before.items())
    assert made["video"].shape == batch["video"].shape
    assert torch.equal(made["video"], view.apply(batch, DRAWS)["video"])
    turned = {k: v.flip(0) if torch.is_tensor(v) else v[::-1] for k, v in batch.items()}
    assert torch.equal(view.apply(turned, DRAWS)["video"].flip(0), made["video"])
    changed = name not in ("plain",)
    assert torch.equal(made["video"], batch["video"]) != changed
    low = view.apply({**batch, "video": batch["video"].float()}, DRAWS)["video"]
    assert low.dtype == torch.float32
    torch.testing.assert_close(low.double(), made["video"], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", views.VIEWS)
@pytest.mark.parametrize("p_view", views.P_VIEWS)
def test_a_view_asks_the_loader_for_what_it_needs(name: str, p_view: str) -> None:
    view = views.build(name, p_view=p_view)
    brought = {"masks": ("person", "object"), "boxes": ("person_box", "object_box")}
    keys = [mask for need in view.needs & brought.keys() for mask in brought[need]]
    if "other" in view.needs:
        keys += [f"other_{mask}" for mask in keys]
    batch = {
        key: value for key, value in clips(2).items() if key in ("video", "label", "id", *keys)
    }
    assert view.apply(batch, DRAWS)["video"].isfinite().all()
    bare = {key: batch[key] for key in ("video", "label", "id")}
    assert bool(view.needs) == view.masked
    if view.masked:
        with pytest.raises(SbtoolsError, match=f"view {re.escape(name)}: the batch has no"):
            view.apply(bare, DRAWS)
    else:
        assert view.apply(bare, DRAWS)["video"].isfinite().all()
        assert view.coverage(bare) == {} and view.empty(bare).tolist() == [False, False]


@pytest.mark.parametrize("name", views.VIEWS)
def test_a_batch_whose_clips_all_failed_is_shown_as_none(name: str) -> None:
    empty = {"video": torch.zeros(0, 2, 3, 4, 4), "label": torch.zeros(0).long(), "id": []}
    view = views.build(name)
    assert view.apply(empty, DRAWS)["video"].shape == (0, 2, 3, 4, 4)
    assert [value.shape for value in view.coverage(empty).values()] in ([], [(0,), (0,)])
    assert view.empty(empty).shape == (0,)


def test_a_mask_that_does_not_fit_is_told_with_the_clips() -> None:
    for value, message in (
        (torch.zeros(2, 3, 5, 5, dtype=torch.bool), r"bool \[2, 3, 5, 5\], not bool \[2, 2, 5, 5"),
        (torch.zeros(2, 2, 5, 5), r"view bg: 'person' is float32 .* \(clips clip 0, clip 1\)"),
    ):
        with pytest.raises(SbtoolsError, match=message):
            shown("bg", {**clips(2), "person": value})


def test_fills_that_are_given() -> None:
    batch = tiny([[[0, 0]]], [[[0, 0]]], object=[[[1, 0]]])
    assert shown("bg+obj", batch, fill="mean").tolist() == torch.zeros(1, 1, 3, 1, 2).tolist()
    found = shown("bg+obj", batch, fill="255,0,51:0,102,255", normalise="clip")[0, 0, :, 0]
    mean, std = (np.array(value) for value in NORMALISE["clip"])
    np.testing.assert_allclose(found[:, 0].numpy() * std + mean, [0, 0.4, 1], atol=1e-12)
    np.testing.assert_allclose(found[:, 1].numpy() * std + mean, [1, 0, 0.2], atol=1e-12)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "nothing"}, "there is no view 'nothing'; the views are plain, bg, bg"),
        ({"name": "bg", "p_view": "obj-box"}, "--p-view is bg or bg.obj, not 'obj-box'"),
        ({"name": "bg", "fill": "inpaint"}, "run `sbtools mask --fill inpaint`"),
        ({"name": "bg", "fill": "red"}, "--fill is normal"),
        ({"name": "bg", "normalise": "none"}, "no constants 'none'"),
    ],
)
def test_views_that_there_are_not(settings: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        views.build(**settings)


def test_what_a_mask_covers() -> None:
    """Of four frames of four pixels: the person on 1, 2, 0, 0, its box on 2, 2, 0, 1 of them."""
    batch = tiny(
        [[[1, 0, 0, 0]], [[1, 1, 0, 0]], [[0, 0, 0, 0]], [[0, 0, 0, 0]]],
        [[[1, 1, 0, 0]], [[0, 1, 1, 0]], [[0, 0, 0, 0]], [[0, 0, 0, 1]]],
        object=[[[1, 1, 0, 0]], [[1, 0, 0, 0]], [[0, 0, 0, 0]], [[0, 0, 0, 0]]],
        object_box=[[[1, 1, 1, 0]], [[1, 1, 1, 0]], [[0, 0, 1, 0]], [[0, 0, 0, 0]]],
        other_person=[[[0, 0, 0, 0]], [[0, 0, 0, 0]], [[0, 0, 0, 0]], [[1, 1, 1, 1]]],
    )
    for name, frames, pixels in (
        ("bg", 2, 3), ("bg+obj", 2, 3), ("random", 2, 3), ("obj-shape", 1, 1), ("obj-box", 3, 4),
        ("person-box", 3, 6), ("box-only", 3, 6), ("scene", 4, 16), ("other", 1, 4),
        ("scene-hole", 4, 16), ("objects", 2, 3), ("clothes", 2, 3),
        ("objects-hole", 2, 3), ("clothes-restyled", 2, 3),
    ):  # fmt: skip
        view = views.build(name)
        found = {key: value.tolist() for key, value in view.coverage(batch).items()}
        assert found == {"covered": [frames / 4], "area": [pixels / 16]}, name
        assert view.empty(batch).tolist() == [False]
        nothing = {k: v ^ v if v.dtype == torch.bool else v for k, v in batch.items() if k != "id"}
        assert view.empty({**nothing, "id": ["a"]}).tolist() == [True], name


def test_masked_clips_are_refused_where_they_would_be_masked_again() -> None:
    every = [views.build(name) for name in views.VIEWS]
    clear = [view for view in every if not view.masked]
    record = {"id": "a", "pixels": "m/0.h5::clips/a", "mode": "bg"}
    views.refuse_masked(record, clear)
    views.refuse_masked({"id": "a", "masks": "m/0.h5::clips/a"}, every)
    for view in every:
        if view.masked:
            with pytest.raises(
                UsageError, match=f"clip 'a' is already masked .bg., .* {re.escape(view.name)} w"
            ):
                views.refuse_masked(record, [*clear, view])
    assert views.needs(clear) == frozenset()
    assert views.needs(every) == {"masks", "boxes", "other"}
    assert views.needs([views.build("plain"), views.build("bg")]) == {"masks"}


def test_every_mask_has_a_name_that_moves_with_its_frame() -> None:
    from sbtools.evaluate.timing import PER_FRAME

    assert {"video", *NAMES, *(f"other_{name}" for name in NAMES)} == {*PER_FRAME}
