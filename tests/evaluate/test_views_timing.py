"""Views that change when frames are shown, told by frames that are numbered."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from sbtools.evaluate import timing, views
from sbtools.rng import Draws


def numbered(count: int, frames: int, side: int = 1) -> dict[str, Any]:
    """Clips whose frame t is t everywhere; the person's mask is set in odd frames."""
    at = torch.arange(frames)[None, :, None, None].expand(count, frames, side, side)
    return {
        "video": at[:, :, None].expand(-1, -1, 3, -1, -1).double(),
        "person": at % 2 == 1,
        "label": torch.zeros(count).long(),
        "id": [f"clip {n}" for n in range(count)],
    }


def order(name: str, batch: dict[str, Any], draws: Draws | None = None) -> list[list[int]]:
    made = views.build(name).apply(batch, draws or Draws(1))
    first = made["video"][:, :, 0, 0, 0]
    assert torch.equal(made["person"][:, :, 0, 0], first % 2 == 1), "masks belong to their frames"
    return [[int(v) for v in row] for row in first]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("static", {1: [0], 2: [1, 1], 5: [2] * 5, 8: [4] * 8, 32: [16] * 32}),
        ("reversed", {1: [0], 2: [1, 0], 5: [4, 3, 2, 1, 0]}),
        ("static-jitter", {1: [0], 8: [4] * 8}),
    ],
)
def test_the_order_of_the_frames(name: str, wanted: dict[int, list[int]]) -> None:
    for frames, rows in wanted.items():
        assert order(name, numbered(2, frames)) == [rows, rows]


def test_shuffled_frames_are_all_there_in_any_order_but_the_true_one() -> None:
    found = order("shuffled", numbered(1200, 3))
    counts = Counter(map(tuple, found))
    others = {(0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)}
    assert counts.keys() == others
    expected = 1200 / 5
    assert sum((n - expected) ** 2 / expected for n in counts.values()) < 18.5  # p = .001, df 4
    assert order("shuffled", numbered(2, 1)) == [[0], [0]]
    assert order("shuffled", numbered(3, 2)) == [[1, 0]] * 3
    assert order("shuffled", numbered(9, 8)) != order("shuffled", numbered(9, 8), Draws(2))


def by_hand(frame: np.ndarray, down: int, right: int) -> np.ndarray:
    out = np.empty_like(frame)
    height, width = frame.shape[-2:]
    for y, x in np.ndindex(height, width):
        from_y = min(max(y - down, 0), height - 1)
        out[..., y, x] = frame[..., from_y, min(max(x - right, 0), width - 1)]
    return out


def test_a_shift_by_hand() -> None:
    draw = np.random.default_rng(0)
    frames, masks = draw.normal(size=(2, 3, 3, 4, 6)), draw.random((2, 3, 4, 6)) < 0.5
    shifts = draw.integers(-2, 3, (2, 3, 2))
    moved = [
        timing.shifted(torch.from_numpy(what), torch.from_numpy(shifts)).numpy()
        for what in (frames, masks)
    ]
    for b, t in np.ndindex(2, 3):
        for before, after in zip((frames, masks), moved, strict=True):
            np.testing.assert_array_equal(after[b, t], by_hand(before[b, t], *shifts[b, t]))


@pytest.mark.parametrize(("side", "most"), [(16, 1), (64, 2), (96, 3)])
def test_one_frame_is_shifted_by_little_and_otherwise_every_time(side: int, most: int) -> None:
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    video = torch.stack([y, x, y]).double().expand(6, 8, 3, side, side)
    batch = {**numbered(6, 8, side), "video": video}
    found = views.build("static-jitter").apply(batch, Draws(1))["video"]
    middle = side // 2
    shifts = middle - found[:, :, :2, middle, middle]  # [B, T, 2]
    assert {int(v) for v in shifts.flatten()} == set(range(-most, most + 1))
    assert len({tuple(row.flatten().tolist()) for row in shifts}) == 6
    for b, t in np.ndindex(6, 8):
        wanted = by_hand(video[0, 0].numpy(), *(int(v) for v in shifts[b, t]))
        np.testing.assert_array_equal(found[b, t].numpy(), wanted)
