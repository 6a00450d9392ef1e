"""Clips with known answers: a textured figure before a textured wall, seen by a moving camera."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Frames = list[NDArray[np.uint8]]
Masks = list[NDArray[np.bool_]]
Path = Callable[[int], tuple[float, float]]
HEIGHT, WIDTH = 120, 160


class MadeClip:
    """A clip held in memory; `asked` counts how often each frame was fetched."""

    def __init__(
        self,
        frames: Frames,
        wanted: Sequence[int] | None = None,
        numbers: Sequence[int] | None = None,
        name: str = "made",
        fps: float = 10.0,
    ) -> None:
        self.id, self.fps, self.frames = name, fps, frames
        self.height, self.width = frames[0].shape[:2]
        self.wanted = list(range(len(frames))) if wanted is None else list(wanted)
        self.numbers = list(range(len(frames))) if numbers is None else list(numbers)

    def frame(self, number: int) -> NDArray[np.uint8]:
        assert number in self.numbers
        return self.frames[number]


def texture(seed: int, height: int, width: int, low: int, high: int) -> NDArray[np.uint8]:
    """Smooth coloured noise, uint8 [H, W, 3]."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    soft = cv2.GaussianBlur(noise, (0, 0), 2.0)
    soft = (soft - soft.min()) / (soft.max() - soft.min())
    return (low + soft * (high - low)).astype(np.uint8)


def figure_mask(height: int, width: int, x: float, y: float, tall: float) -> NDArray[np.bool_]:
    """An upright figure, head, trunk and legs, whose middle is at (x, y): bool [H, W]."""
    mask = np.zeros((height, width), np.uint8)
    r = tall / 8
    top = y - tall / 2
    cv2.circle(mask, (round(x), round(top + r)), round(r), 1, -1)
    corners = [(x - 1.7 * r, top + 2 * r), (x + 1.7 * r, top + 2 * r)]
    corners += [(x + 1.3 * r, y + tall / 2), (x - 1.3 * r, y + tall / 2)]
    cv2.fillConvexPoly(mask, np.round(corners).astype(np.int32), 1)
    return mask.astype(bool)


def scene(
    count: int,
    figures: Sequence[Path] = (),
    camera: Path = lambda i: (0.0, 0.0),
    tall: float = 70.0,
    seed: int = 0,
) -> tuple[Frames, list[Masks]]:
    """Frames, and for each figure its masks; figures and camera are positions in wall pixels."""
    wall = texture(seed, HEIGHT * 3, WIDTH * 3, 90, 190)
    cloth = [texture(seed + 1 + k, HEIGHT, WIDTH, *COLOURS[k % 2]) for k in range(len(figures))]
    frames: Frames = []
    masks: list[Masks] = [[] for _ in figures]
    for i in range(count):
        dx, dy = camera(i)
        shift = np.float32([[1, 0, -WIDTH - dx], [0, 1, -HEIGHT - dy]])
        frame = cv2.warpAffine(wall, shift, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        for k, path in enumerate(figures):
            x, y = path(i)[0] - dx, path(i)[1] - dy
            mask = figure_mask(HEIGHT, WIDTH, x, y, tall)
            move = np.float32([[1, 0, x - WIDTH / 2], [0, 1, y - HEIGHT / 2]])
            worn = cv2.warpAffine(cloth[k], move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
            tint = np.array([[1.0, 0.55, 0.4], [0.4, 0.6, 1.0]][k % 2])
            frame[mask] = (worn[mask] * tint).astype(np.uint8)
            masks[k].append(mask)
        frames.append(frame)
    return frames, masks


COLOURS = [(120, 255), (20, 140)]


def overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks."""
    return float((a & b).sum() / max((a | b).sum(), 1))


def bounds(mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """The box around a mask, by its extreme pixels."""
    y, x = np.nonzero(mask)
    return float(x.min()), float(y.min()), float(x.max() + 1), float(y.max() + 1)


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """IoU of two boxes, by counting on a fine grid."""
    n = 8
    masks = []
    for x0, y0, x1, y1 in (a, b):
        mask = np.zeros((HEIGHT * n, WIDTH * n), bool)
        mask[round(y0 * n) : round(y1 * n), round(x0 * n) : round(x1 * n)] = True
        masks.append(mask)
    return overlap(masks[0], masks[1])
