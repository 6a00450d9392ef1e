from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from sbtools.segment.cut import GAMMA, LEVELS, RANGE, cut, main_axes

STEP = 2 * RANGE / LEVELS
ROOT2 = 2**0.5


def energy(label: np.ndarray, odds: np.ndarray, image: np.ndarray, smoothness: float) -> float:
    """Boykov and Jolly's energy in nats, with GrabCut's contrast term, pair by pair."""
    total = -float((odds * label).sum())
    height, width = label.shape
    pairs = []
    for y, x in product(range(height), range(width)):
        for dy, dx, far in ((0, 1, 1), (1, 0, 1), (1, 1, ROOT2), (1, -1, ROOT2)):
            if 0 <= y + dy < height and 0 <= x + dx < width:
                pairs.append(((y, x), (y + dy, x + dx), far))
    steps = [float(((image[p] - image[q]) ** 2).sum()) for p, q, _ in pairs]
    beta = 1 / (2 * np.mean(steps)) if any(steps) else 0.0
    for (p, q, far), step in zip(pairs, steps, strict=True):
        if label[p] != label[q]:
            total += smoothness * np.exp(-beta * step) / far
    return total


@pytest.mark.parametrize("seed", range(12))
def test_no_labelling_of_a_small_picture_has_less_energy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    odds = (rng.integers(-5, 6, (3, 4)) * STEP).astype(np.float32)
    lab = rng.integers(90, 160, (3, 4, 3), np.uint8)
    smoothness = float(rng.uniform(0.7, 5))
    level = np.round((odds / RANGE + 1) / 2 * LEVELS)
    image = np.dstack([level, main_axes(lab)]).astype(np.float64)
    found = cut(odds, lab, smoothness)
    labels = (np.array(bits).reshape(3, 4) for bits in product((0, 1), repeat=12))
    least = min(energy(label, odds, image, smoothness) for label in labels)
    assert energy(found, odds, image, smoothness) == pytest.approx(least, abs=1e-3)


def test_the_cut_follows_an_edge_through_noise() -> None:
    rng = np.random.default_rng(0)
    truth = np.zeros((60, 80), bool)
    truth[15:50, 30:60] = True
    lab = np.where(truth[..., None], 180, 70).astype(np.uint8) + np.zeros(3, np.uint8)
    odds = np.where(truth, 0.6, -0.6) + rng.normal(0, 1.5, truth.shape)
    assert ((odds > 0) != truth).mean() > 0.2
    assert (cut(odds.astype(np.float32), lab, 3.0) != truth).mean() < 0.01


@pytest.mark.parametrize("value", [-2.0, 2.0])
def test_one_sided_odds_give_one_label(value: float) -> None:
    odds = np.full((8, 9), value, np.float32)
    assert (cut(odds, np.full((8, 9, 3), 100, np.uint8), 3.0) == (value > 0)).all()


@pytest.mark.parametrize("smoothness", [0.1, GAMMA + 1])
def test_smoothness_beyond_what_grabcut_can_hold_is_refused(smoothness: float) -> None:
    with pytest.raises(ValueError, match="smoothness is"):
        cut(np.zeros((4, 4), np.float32), np.zeros((4, 4, 3), np.uint8), smoothness)
