"""The controls that stand beside the masked views."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sbtools.evaluate import views
from sbtools.mask.fill import NORMALISE
from tests.evaluate.test_views import DRAWS, MODES, by_hand, colours, shown, tiny
from tests.methods.batches import clips

P_VIEWS = [mode for mode in MODES if mode in views.P_VIEWS]


@pytest.mark.parametrize("p_view", P_VIEWS)
def test_blobs_hide_as_much_of_every_frame_in_each_colour(p_view: str) -> None:
    batch = clips(5, frames=3, side=12)
    found, own = (shown(name, batch, p_view=p_view) for name in ("random", p_view))
    assert not torch.equal(found, own)
    for row, id in enumerate(batch["id"]):
        for colour in torch.from_numpy(colours(id))[:, None, :, None, None]:
            areas = [(video[row] == colour).all(1).sum((-2, -1)).tolist() for video in (found, own)]
            assert areas[0] == areas[1]


def test_a_blob_belongs_to_the_clip_and_the_seed() -> None:
    batch = clips(2, side=16)
    for name in ("person", "video"):
        batch[name][1] = batch[name][0]
    found = shown("random", batch)
    kept = [found[row] == batch["video"][row] for row in range(2)]
    assert not torch.equal(*kept)
    again = views.build("random").apply(batch, views_seed(6))["video"]
    assert not torch.equal(again[0] == batch["video"][0], kept[0])


def views_seed(seed: int) -> object:
    return type(DRAWS)(seed=seed)


@pytest.mark.parametrize("p_view", P_VIEWS)
def test_the_shapes_of_another_clip(p_view: str) -> None:
    batch = clips(4)
    found = shown("other", batch, p_view=p_view).numpy()
    np.testing.assert_array_equal(found, by_hand(p_view, batch, "other_"))
    assert (found != by_hand(p_view, batch)).any()


@pytest.mark.parametrize(
    ("fill", "box", "ground"),
    [
        ("mean", None, 0.0),
        ("200,200,200", 200 / 255, 0.0),
        ("20,30,40", None, 1.0),
        ("20,30,40:200,0,0", None, None),
        ("20,30,0:200,0,0", None, None),
    ],
)
def test_silhouettes_of_boxes_stand_out_from_their_ground(
    fill: str, box: float | None, ground: float | None
) -> None:
    batch = tiny([[[1, 0, 0]]], [[[0, 1, 0]]])
    batch["video"] += 0.7
    found = shown("box-only", batch, fill=fill, normalise="clip")[0, 0, :, 0]
    mean, std = (torch.tensor(value, dtype=torch.float64)[:, None] for value in NORMALISE["clip"])
    found = found * std + mean
    assert torch.equal(found[:, 0], found[:, 1])
    if box is not None:
        assert found[:, 0].tolist() == pytest.approx([box] * 3)
    want = [200 / 255, 0, 0] if ground is None else [ground] * 3
    assert found[:, 2].tolist() == pytest.approx(want, abs=1e-12)


def test_the_scene_hides_in_every_frame_what_is_anywhere_a_person_or_its_box() -> None:
    batch = tiny(
        [[[1, 0, 0, 0, 0]], [[0, 0, 0, 0, 0]], [[0, 0, 0, 1, 0]]],
        [[[0, 0, 0, 0, 0]], [[0, 1, 0, 0, 0]], [[0, 0, 0, 0, 0]]],
    )
    batch["video"] += torch.arange(1, 4)[:, None, None, None]
    back = float(colours("a")[0][0])
    found = shown("scene", batch)[0, :, 0, 0].tolist()
    assert found == [[back, back, t, back, t] for t in (1, 2, 3)]


def test_a_clean_plate_takes_the_place_of_a_painted_scene() -> None:
    batch, view = clips(3), views.build("scene")
    painted = view.apply(batch, DRAWS)["video"]
    plates = torch.randn(batch["video"].shape, dtype=torch.float64)
    batch |= {"plate": plates, "plated": torch.tensor([True, False, True])}
    batch["person"] &= False
    batch["person_box"][0] = False
    found = view.apply(batch, DRAWS)["video"]
    assert torch.equal(found[::2], plates[::2])
    del batch["plate"], batch["plated"]
    assert torch.equal(found[1], view.apply(batch, DRAWS)["video"][1])
    assert not torch.equal(found[1], plates[1]) and not torch.equal(painted, found)
    assert view.empty(batch).tolist()[0]
    assert not view.empty({**batch, "plate": plates, "plated": torch.ones(3).bool()}).any()
