"""Clips without appearance: noise that moves as the pixels of a clip do.

Ilic, Pock, Wildes: "Is appearance free action recognition possible?" (2022). Each frame alone is
noise; only how it changes tells the action.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Noise = NDArray[np.float32]
Flow = NDArray[np.float32]


def drawn(draw: np.random.Generator, height: int, width: int) -> Noise:
    """Noise float32 [H, W, 3], even in 0 to 1."""
    return draw.random((height, width, 3), dtype=np.float32)


def bytes_of(noise: Noise) -> NDArray[np.uint8]:
    """A frame uint8 [H, W, 3]; cut, not rounded, as the official code has it."""
    return (noise * 255).astype(np.uint8)


def warped(noise: Noise, flow: Flow) -> Noise:
    """The published frame t + 1 of the first frame's noise and the flow [H, W, 2] of t to t + 1.

    The noise of the first frame is moved, in each frame anew: pixel x takes that at x + flow(x),
    the nearest, and its own where that is outside or black. So what moves by u in the clip moves by
    -u here. The official code's grid is half a pixel off at the sides (formula and single
    precision as there).

    Source: f-ilic/afd 4eacdad, util.py, firstframe_warp with batch_warp.
    """
    height, width = noise.shape[:2]
    columns = _nearest(_line(width)[None, :], flow[..., 0], width)
    rows = _nearest(_line(height)[:, None], flow[..., 1], height)
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    found = noise[np.where(inside, rows, 0), np.where(inside, columns, 0)]
    return np.where((inside & found.any(-1))[..., None], found, noise)


def _line(length: int) -> NDArray[np.float32]:
    """From -1 to 1 as torch.linspace has it, in single precision from both ends."""
    if length == 1:
        return np.full(1, -1, np.float32)
    step = np.float32(2) / np.float32(length - 1)
    places = np.arange(length)
    up = np.float32(-1) + step * places.astype(np.float32)
    down = np.float32(1) - step * (length - 1 - places).astype(np.float32)
    return np.where(places < length // 2, up, down)


def _nearest(line: NDArray[np.float32], flow: NDArray[np.float32], length: int) -> NDArray[np.intp]:
    at = line + np.float32(2) * (flow / np.float32(length))
    whole = ((at + np.float32(1)) * np.float32(length) - np.float32(1)) / np.float32(2)
    return np.rint(np.clip(whole, -2, length + 1)).astype(np.intp)


def carried(noise: Noise, flows: Iterable[Flow], draw: np.random.Generator) -> Iterator[Noise]:
    """Our frames: the noise itself, then carried along by each flow [H, W, 2] of t to t + 1.

    Every pixel goes where the flow takes it, with what is left over of a whole pixel kept, so that
    slow motion is not lost. Where several arrive, one stays; where none does, new noise is drawn.
    So no number stands in a frame twice, and each frame alone is noise whatever the clip shows.
    """
    height, width = noise.shape[:2]
    rows, columns = (each.astype(np.float32) for each in np.indices((height, width)))
    rest = np.zeros((height, width, 2), np.float32)
    yield noise
    for flow in flows:
        x = columns + rest[..., 0] + flow[..., 0]
        y = rows + rest[..., 1] + flow[..., 1]
        to = np.rint(np.clip(np.stack([x, y], -1), -2, 1 + max(height, width)))
        inside = ((to >= 0) & (to < (width, height))).all(-1)
        target = (to[..., 1] * width + to[..., 0])[inside].astype(np.intp)
        moved = drawn(draw, height, width)
        left = np.zeros_like(rest)
        moved.reshape(-1, 3)[target] = noise[inside]
        left.reshape(-1, 2)[target] = (np.stack([x, y], -1) - to)[inside]
        noise, rest = moved, left
        yield noise
