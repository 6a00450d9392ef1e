"""Noise that moves: where it goes, and that no frame tells anything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from sbtools.compose.noise import bytes_of, carried, drawn, warped

HEIGHT, WIDTH = 23, 31


def flow(x: float, y: float) -> Any:
    found = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    found[...] = x, y
    return found


def made(flows: list[Any], seed: int = 0) -> list[Any]:
    draw = np.random.default_rng(seed)
    return list(carried(drawn(draw, HEIGHT, WIDTH), flows, draw))


def test_published_noise_is_that_of_grid_sample() -> None:
    """Of torch, whose grid is half a pixel off at the sides, on flows that leave the frame."""
    rng = np.random.default_rng(1)
    noise = drawn(rng, HEIGHT, WIDTH)
    motion = rng.normal(0, 9, (HEIGHT, WIDTH, 2)).astype(np.float32)
    x, y = torch.linspace(-1, 1, WIDTH), torch.linspace(-1, 1, HEIGHT)
    u, v = torch.from_numpy(motion).unbind(-1)
    grid = torch.stack([x + 2 * (u / WIDTH), y[:, None] + 2 * (v / HEIGHT)], -1)
    first = torch.from_numpy(noise).permute(2, 0, 1)
    told: Any = {"mode": "nearest", "padding_mode": "zeros", "align_corners": False}
    found = torch.nn.functional.grid_sample(first[None], grid[None], **told)[0]
    outside = ~found.any(0)
    assert 0 < outside.sum() < outside.numel()
    wanted = torch.where(outside, first, found).permute(1, 2, 0).numpy()
    assert np.array_equal(warped(noise, motion), wanted)


def test_where_nothing_moves_the_noise_is_still() -> None:
    noise = drawn(np.random.default_rng(2), HEIGHT, WIDTH)
    assert np.array_equal(warped(noise, flow(0, 0)), noise)


@pytest.mark.parametrize(("x", "y"), [(1.0, 0.0), (0.29, -0.41), (-1.7, 1.3)])
def test_ours_goes_along_with_the_flow_and_keeps_fractions(x: float, y: float) -> None:
    frames = made([flow(x, y)] * 6)
    for t, shown in enumerate(frames):
        right, down = int(np.rint(t * np.float32(x))), int(np.rint(t * np.float32(y)))
        rows, columns = np.mgrid[12:14, 14:18]
        assert np.array_equal(shown[rows + down, columns + right], frames[0][rows, columns])


def test_no_number_stands_twice() -> None:
    """Where much arrives at one place, and elsewhere nothing."""
    rng = np.random.default_rng(4)
    flows = [rng.normal(0, 3, (HEIGHT, WIDTH, 2)).astype(np.float32) for _ in range(5)]
    flows.append(np.stack(np.indices((HEIGHT, WIDTH))[::-1], -1).astype(np.float32) * -0.5)
    for shown in made(flows):
        assert len(np.unique(shown[..., 0])) > 0.999 * HEIGHT * WIDTH
        assert 0 <= shown.min() and shown.max() < 1


def test_the_same_draws_give_the_same_frames() -> None:
    flows = [flow(0.5, 1.5)] * 3
    one, two, other = (made(flows, seed) for seed in (0, 0, 1))
    assert all(map(np.array_equal, one, two)) and not np.array_equal(one[3], other[3])
    assert bytes_of(np.float32([0, 0.5, 0.99999])).tolist() == [0, 127, 254]
