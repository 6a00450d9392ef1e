"""Views that change how a clip looks: what they change, and what they must leave."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from sbtools.evaluate import style, views
from sbtools.mask.fill import NORMALISE
from sbtools.rng import Draws


def clips(count: int = 3, frames: int = 4, side: int = 6, constants: str = "imagenet") -> Any:
    """Normalised frames of any values from 0 to 1."""
    drawn = np.random.default_rng(0).random((count, frames, 3, side, side))
    return {
        "video": torch.from_numpy((drawn - mean(constants)) / std(constants)),
        "label": torch.zeros(count).long(),
        "id": [f"clip {n}" for n in range(count)],
    }


def mean(constants: str) -> Any:
    return np.array(NORMALISE[constants].mean)[:, None, None]


def std(constants: str) -> Any:
    return np.array(NORMALISE[constants].std)[:, None, None]


def shown(batch: Any, seed: int = 0, name: str = "restyled", constants: str = "imagenet") -> Any:
    view = views.build(name, normalise=constants)
    return view.apply(batch, Draws(seed))["video"].numpy()


def by_hand(values: Any, made: style.Style) -> Any:
    """A pixel [3] after another: mixed, then by each channel's curve."""
    knots = np.linspace(0, 1, style.PARTS + 1)
    mixed = made.mix @ values
    return np.array([np.interp(mixed[c], knots, made.curves[c]) for c in range(3)])


@pytest.mark.parametrize("constants", ["imagenet", "half"])
def test_every_pixel_is_changed_by_the_style_of_its_clip(constants: str) -> None:
    batch = clips(2, 2, 3, constants)
    found = shown(batch, 5, constants=constants)
    before = batch["video"].numpy() * std(constants) + mean(constants)
    for row, t, y, x in np.ndindex(2, 2, 3, 3):
        made = style.draw_style(Draws(5).clip(f"clip {row}", "restyled"))
        expected = by_hand(before[row, t, :, y, x], made)
        told = found[row, t, :, y, x] * std(constants)[:, 0, 0] + mean(constants)[:, 0, 0]
        np.testing.assert_allclose(told, expected, atol=1e-9)


def test_a_style_by_hand() -> None:
    """Red and blue change places, a quarter of grey is mixed in, and the first curve falls."""
    mix = np.array([[0, 0, 1.0], [0, 1, 0], [1, 0, 0]]) / 2 + 1 / 6
    curves = np.array([[1, 0.5, 0.25, 0.125, 0], *[[0, 0.25, 0.5, 0.75, 1]] * 2])
    video = torch.tensor([0.9, 0.3, 0.0], dtype=torch.float64).view(1, 3, 1, 1)
    found = style.restyle(video, style.Style(mix, curves))
    grey = (0.9 + 0.3) / 6  # 0.2: half of the mean
    first = 1 + (0.5 - 1) * (0.0 / 2 + grey) / 0.25  # 0.2 is in the first part of the curve
    expected = [first, 0.3 / 2 + grey, 0.9 / 2 + grey]
    np.testing.assert_allclose(found.flatten().numpy(), expected, atol=1e-12)


def test_black_and_white_and_what_is_beyond_them_become_the_ends_of_the_curves() -> None:
    made = style.draw_style(np.random.default_rng(2))
    for value, end in ((0.0, 0), (1.0, -1), (-0.5, 0), (1.5, -1)):
        frames = torch.full((2, 3, 4, 4), value, dtype=torch.float64)
        found = style.restyle(frames, made)[0, :, 0, 0].numpy()
        np.testing.assert_allclose(found, made.curves[:, end], atol=1e-12)


def test_what_moves_moves_as_before() -> None:
    """Frames that were equal are equal, in every pixel, and others are not: one style a clip."""
    batch = clips(4, 6)
    video = batch["video"]
    video[:, 3] = video[:, 1]
    video[:, 4, :, :2] = video[:, 0, :, :2]
    found = shown(batch)
    np.testing.assert_array_equal(found[:, 3], found[:, 1])
    np.testing.assert_array_equal(found[:, 4, :, :2], found[:, 0, :, :2])
    assert (np.abs(found[:, 2] - found[:, 1]).max((1, 2, 3)) > 0.1).all()


def test_curves_rise_or_fall_throughout_and_mixing_can_be_undone() -> None:
    """So that two colours never become one, and no edge is lost."""
    down, orders = 0, set()
    for seed in range(300):
        made = style.draw_style(np.random.default_rng(seed))
        for curve in made.curves:
            steps = np.diff(curve)
            assert abs(steps).min() > 0.05 and abs(steps.sum()) == pytest.approx(1)
            assert (steps > 0).all() or (steps < 0).all()
            assert sorted([curve[0], curve[-1]]) == pytest.approx([0, 1])
            down += steps[0] < 0
        np.testing.assert_allclose(made.mix.sum(1), 1)
        orders.add(tuple(made.mix.argmax(1)))
        assert abs(np.linalg.det(made.mix)) > 1e-4 and made.mix.min() >= 0
    assert len(orders) == 6 and 380 < down < 520


def test_styles_are_far_apart_and_the_same_for_one_seed() -> None:
    batch = clips(60, 1, 12)
    batch["video"] = batch["video"].repeat(1, 2, 1, 1, 1)
    found = [shown(batch, seed) for seed in (1, 2)]
    np.testing.assert_array_equal(found[0], shown(batch, 1))
    alone = {name: batch[name][7:8] for name in batch}
    np.testing.assert_array_equal(found[0][7:8], shown(alone, 1))
    width = std("imagenet")
    for one, other in pairwise([batch["video"].numpy(), *found]):
        apart = np.abs((one - other) * width).mean((1, 2, 3, 4))
        assert np.mean(apart) > 0.2 and np.quantile(apart, 0.05) > 0.05  # of 0 to 1


def test_the_other_order_is_that_of_shuffled_in_the_same_style() -> None:
    batch = clips(3, 5)
    found = shown(batch, 4, "restyled-shuffled")
    ordered = {**batch, "video": torch.from_numpy(shown(batch, 4, "shuffled"))}
    np.testing.assert_allclose(found, shown(ordered, 4), atol=1e-12)
    assert np.abs(found - shown(batch, 4)).max((1, 2, 3, 4)).min() > 0.1


def test_they_are_no_controls_and_want_nothing() -> None:
    for name in ("restyled", "restyled-shuffled"):
        view = views.build(name)
        assert name not in views.CONTROLS and not view.needs and not view.masked
        assert view.equation is None and view.shape(clips()) is None
    empty = {"video": torch.zeros(0, 2, 3, 4, 4), "label": torch.zeros(0).long(), "id": []}
    assert shown(empty).shape == (0, 2, 3, 4, 4)
