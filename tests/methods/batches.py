"""Batches of random clips with masks, and the paper's equations a pixel at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

NAMES = ("person", "object", "person_box", "object_box")


def clips(count: int, frames: int = 2, side: int = 5, seed: int = 0) -> dict[str, Any]:
    """video float64 [B, T, 3, S, S], two classes, and every mask that there is."""
    draw = np.random.default_rng(seed)
    shape = (count, frames, side, side)
    batch: dict[str, Any] = {
        "video": torch.from_numpy(draw.normal(size=(count, frames, 3, side, side))),
        "label": torch.arange(count) % 2,
        "id": [f"clip {number}" for number in range(count)],
    }
    for name in (*NAMES, *(f"other_{name}" for name in NAMES)):
        batch[name] = torch.from_numpy(draw.random(shape) < draw.uniform(0.2, 0.6))
    return batch


def slow(
    mode: str, video: torch.Tensor, person: Any, object: Any, object_box: Any, colours: Any
) -> np.ndarray:
    """One clip [T, 3, S, S] masked as equations 1 to 5 of the paper say; colours [2, 3]."""
    out = video.double().numpy().copy()
    for t in range(out.shape[0]):
        for y in range(out.shape[2]):
            for x in range(out.shape[3]):
                colour = _colour(
                    mode, bool(person[t, y, x]), bool(object[t, y, x]), bool(object_box[t, y, x])
                )
                if colour is not None:
                    out[t, :, y, x] = colours[colour]
    return out


def _colour(mode: str, person: bool, object: bool, box: bool) -> int | None:
    """Which colour hides the pixel: 0 the background's, 1 the objects', None if it is shown."""
    if person or mode == "none":
        return None
    if mode == "bg":
        return 0
    if mode == "obj-box":
        return 1 if box else None
    if mode == "obj-shape":
        return 1 if object else None
    return 1 if object else 0
