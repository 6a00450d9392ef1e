"""Jitter against torchvision's functional operations, normalisation against bytes.

torchvision turns the hue in float32, whatever it is given.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from torchvision.transforms import functional as F

from sbtools.loader.photo import draw_jitter, finish, jitter, normalise
from sbtools.models.recipe import Recipe

CHANGES = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)


def video(clips: int, frames: int = 2, side: int = 12, dtype: torch.dtype = torch.float64):
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (clips, frames, 3, side, side), generator=draw)
    pixels[0, 0] = pixels[0, 0, :1]  # a grey frame: its hue is undefined
    pixels[-1, :, 1, 0] = pixels[-1, :, 0, 0]  # ties between channels
    return pixels.to(dtype) / 255


def slow(clip: torch.Tensor, order: np.ndarray, factors: np.ndarray) -> torch.Tensor:
    """Frame by frame, change by change."""
    frames = []
    for number, frame in enumerate(clip):
        row = number if len(order) > 1 else 0
        for change in order[row]:
            frame = CHANGES[change](frame, float(factors[row, change]))
        frames.append(frame)
    return torch.stack(frames)


@pytest.mark.parametrize("per", [1, 2])
def test_every_order_equals_torchvision(per: int) -> None:
    orders = np.array(list(permutations(range(4))))  # [24, 4]
    draw = np.random.default_rng(1)
    order = np.stack([np.roll(orders, n, axis=0) for n in range(per)], axis=1)
    low, high = [0.6, 0.6, 0.8, -0.1], [1.4, 1.4, 1.2, 0.1]
    factors = draw.uniform(low, high, (24, per, 4))
    before = video(24)
    wanted = torch.stack([slow(c, o, f) for c, o, f in zip(before, order, factors, strict=True)])
    on, gray = torch.ones(24, dtype=torch.bool), torch.zeros(24, dtype=torch.bool)
    found = jitter(before.clone(), torch.tensor(order), torch.tensor(factors), on, gray)
    assert (found - wanted).abs().max() < 2e-6


def test_on_and_gray_touch_only_their_clips() -> None:
    before = video(4)
    order = torch.arange(4).expand(4, 1, 4)
    factors = torch.tensor([1.3, 0.7, 1.1, 0.05], dtype=torch.float64).expand(4, 1, 4)
    on, gray = torch.tensor([0, 1, 0, 1]).bool(), torch.tensor([0, 0, 1, 1]).bool()
    found = jitter(before.clone(), order, factors, on, gray)
    jittered = torch.stack([slow(c, np.arange(4)[None], factors[0].numpy()) for c in before])
    assert torch.equal(found[0], before[0])
    assert (found[1] - jittered[1]).abs().max() < 2e-6
    assert (found[2] - F.rgb_to_grayscale(before[2], 3)).abs().max() < 2e-6
    assert (found[3] - F.rgb_to_grayscale(jittered[3], 3)).abs().max() < 2e-6


def test_draws_have_the_ranges_and_the_shares_of_the_recipe() -> None:
    draw = np.random.default_rng(0)
    drawn = [draw_jitter(Recipe(), 8, draw) for _ in range(3000)]
    assert 0.77 < np.mean([j.on for j in drawn]) < 0.83
    assert 0.17 < np.mean([j.gray for j in drawn]) < 0.23
    factors = np.concatenate([j.factors for j in drawn])
    assert factors.shape == (3000, 4)
    assert np.allclose(factors.min(0), [0.6, 0.6, 0.8, -0.1], atol=0.01)
    assert np.allclose(factors.max(0), [1.4, 1.4, 1.2, 0.1], atol=0.01)
    assert {tuple(j.order[0]) for j in drawn} == set(permutations(range(4)))
    per_frame = draw_jitter(Recipe(jitter_per="frame"), 8, draw)
    assert per_frame.factors.shape == per_frame.order.shape == (8, 4)
    assert len(np.unique(per_frame.factors, axis=0)) == 8


@pytest.mark.parametrize(
    ("name", "mean", "std"),
    [
        ("imagenet", [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]),
        (
            "clip",
            [122.7709383, 116.7460125, 104.09373615],
            [68.5005327, 66.6321579, 70.32316305],
        ),
    ],
)
def test_normalised_as_bytes_are(name: str, mean: list[float], std: list[float]) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 5, 5, 3), np.uint8)
    wanted = (frames - np.array(mean)) / np.array(std)
    batch = finish({"frames": torch.from_numpy(frames), "id": ["a", "b"]}, Recipe(normalise=name))
    assert batch["video"].shape == (2, 3, 3, 5, 5) and batch["id"] == ["a", "b"]
    assert batch["video"].is_contiguous() and "frames" not in batch
    assert np.abs(batch["video"].numpy() - wanted.transpose(0, 1, 4, 2, 3)).max() < 1e-5


def test_jitter_comes_before_normalisation() -> None:
    frames = torch.randint(0, 256, (1, 2, 6, 6, 3), dtype=torch.uint8)
    factors = torch.tensor([[[1.4, 0.6, 1.2, 0.1]]])
    given = {
        "frames": frames,
        "jitter": [
            torch.tensor([[[2, 0, 3, 1]]]),
            factors,
            torch.tensor([True]),
            torch.tensor([False]),
        ],
    }
    batch = finish(given, Recipe())
    clip = frames[0].permute(0, 3, 1, 2).double() / 255
    wanted = slow(clip, np.array([[2, 0, 3, 1]]), factors[0].double().numpy())
    assert (batch["video"][0] - normalise(wanted.clone(), "imagenet")).abs().max() < 1e-5
    assert not any(name.startswith("jitter") for name in batch)
