"""Twelve textured backgrounds, each drawn anew for every clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[Any]
Draw = np.random.Generator


def _noise(draw: Draw, like: Plane, rows: int, columns: int) -> Plane:
    """Smooth noise in 0..1, `rows` x `columns` blobs over the picture."""
    field = draw.random((rows + 3, columns + 3), dtype=np.float32)
    size = (like.shape[1], like.shape[0])
    smooth: Plane = np.clip(cv2.resize(field, size, interpolation=cv2.INTER_CUBIC), 0, 1)
    return smooth


def _brick(u: Plane, v: Plane, draw: Draw) -> Plane:
    row = np.floor(v * 8)
    across = u * 4 + 0.5 * (row % 2)
    mortar = (np.abs(v * 8 % 1 - 0.5) > 0.38) | (np.abs(across % 1 - 0.5) > 0.44)
    return np.where(mortar, 1.0, 0.35 * _noise(draw, u, 8, 8))


def _meadow(u: Plane, v: Plane, draw: Draw) -> Plane:
    return 0.75 * _noise(draw, u, 16, 48) + 0.25 * _noise(draw, u, 4, 4)


def _sky(u: Plane, v: Plane, draw: Draw) -> Plane:
    return np.clip(2.2 * _noise(draw, u, 5, 3) - 0.6, 0, 1)


def _sea(u: Plane, v: Plane, draw: Draw) -> Plane:
    return 0.5 + 0.5 * np.sin(2 * np.pi * (7 * v + 0.9 * _noise(draw, u, 4, 5)))


def _planks(u: Plane, v: Plane, draw: Draw) -> Plane:
    seam = np.abs(v * 5 % 1 - 0.5) > 0.44
    return np.where(seam, 1.0, 0.6 * _noise(draw, u, 40, 4))


def _tiles(u: Plane, v: Plane, draw: Draw) -> Plane:
    return (np.floor(u * 6) + np.floor(v * 6)) % 2 * 0.85 + 0.15 * _noise(draw, u, 8, 8)


def _sand(u: Plane, v: Plane, draw: Draw) -> Plane:
    ripple = 0.5 + 0.5 * np.sin(2 * np.pi * (6 * (u + v) + _noise(draw, u, 3, 3)))
    return 0.5 * ripple + 0.5 * _noise(draw, u, 48, 48)


def _night(u: Plane, v: Plane, draw: Draw) -> Plane:
    return np.clip((_noise(draw, u, 26, 26) - 0.83) * 8, 0, 1)


def _forest(u: Plane, v: Plane, draw: Draw) -> Plane:
    trunk = _noise(draw, u, 1, 14)
    return np.clip(3 * trunk - 1, 0, 1) * (0.75 + 0.25 * _noise(draw, u, 20, 6))


def _dots(u: Plane, v: Plane, draw: Draw) -> Plane:
    far = (u * 7 % 1 - 0.5) ** 2 + (v * 7 % 1 - 0.5) ** 2
    return np.clip((0.115 - far) * 20, 0, 1)


def _windows(u: Plane, v: Plane, draw: Draw) -> Plane:
    lit = draw.random((16, 16), dtype=np.float32)[
        np.floor(v * 6).astype(int) % 16, np.floor(u * 5).astype(int) % 16
    ]
    pane = (np.abs(u * 5 % 1 - 0.5) < 0.3) & (np.abs(v * 6 % 1 - 0.5) < 0.3)
    return np.where(pane, 0.25 + 0.75 * (lit > 0.5), 0.0)


def _curtain(u: Plane, v: Plane, draw: Draw) -> Plane:
    return 0.5 + 0.5 * np.sin(2 * np.pi * (6 * u + 0.5 * _noise(draw, u, 2, 4)))


Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Scene:
    """A pattern in 0..1, and the colours of its ends."""

    pattern: Callable[[Plane, Plane, Draw], Plane]
    low: Colour
    high: Colour


SCENES = {
    "brick wall": Scene(_brick, (140, 82, 68), (190, 184, 174)),
    "meadow": Scene(_meadow, (58, 92, 46), (138, 166, 92)),
    "sky": Scene(_sky, (126, 164, 206), (232, 236, 240)),
    "sea": Scene(_sea, (38, 84, 108), (112, 158, 172)),
    "planks": Scene(_planks, (164, 128, 88), (80, 58, 38)),
    "tiles": Scene(_tiles, (92, 92, 98), (212, 212, 208)),
    "sand": Scene(_sand, (182, 160, 116), (226, 210, 172)),
    "night": Scene(_night, (18, 20, 40), (226, 226, 200)),
    "forest": Scene(_forest, (42, 56, 42), (106, 88, 66)),
    "dots": Scene(_dots, (206, 178, 184), (132, 84, 104)),
    "windows": Scene(_windows, (104, 110, 120), (228, 214, 150)),
    "curtain": Scene(_curtain, (84, 62, 98), (150, 124, 166)),
}
"""Scene k goes with class k where there is a bias."""


def texture(name: str, size: int, margin: int, draw: Draw) -> NDArray[np.float32]:
    """The background and `margin` pixels around it: float32 [size + 2 margin, same, 3], 0 to 255.

    Place, scale, colours and light are the clip's own.
    """
    scene = SCENES[name]
    side = size + 2 * margin
    scale = draw.uniform(0.85, 1.18) / size
    shift = draw.uniform(0, 16, 2)
    along = np.arange(side, dtype=np.float32)
    u, v = np.meshgrid(along * scale + shift[0], along * scale + shift[1])
    tints = draw.uniform(-10, 10, (2, 3))
    light = draw.uniform(0.85, 1.12)
    mix = scene.pattern(u.astype(np.float32), v.astype(np.float32), draw)[..., None]
    low, high = np.array(scene.low) + tints[0], np.array(scene.high) + tints[1]
    fine = draw.normal(0, 4, (side, side, 1))
    return np.clip((low + (high - low) * mix + fine) * light, 0, 255).astype(np.float32)
