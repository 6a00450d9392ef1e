"""Clips whose masks can be read off their pixels: a white person, a red object, on black."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.models.recipe import Recipe
from sbtools.records import Record
from sbtools.store import StoreWriter
from sbtools.video import digest
from tests.making import write_video

WHITE, RED = (235, 235, 235), (200, 0, 0)
PLAIN = Recipe(size=64, flip="never", jitter=0, gray=0)


def shapes(count: int, height: int, width: int, seed: int) -> dict[str, NDArray[np.bool_]]:
    """A person that walks to the right, its head to the left, and an object above it."""
    person = np.zeros((count, height, width), np.bool_)
    thing = np.zeros_like(person)
    for number in range(count):
        x = width // 4 + (number + 3 * seed) % (width // 3)
        person[number, height // 3 : -6, x : x + width // 8] = True
        person[number, height // 3 : height // 2, x - width // 8 : x] = True
        thing[number, 6 : height // 5, x : x + width // 5] = True
    return {"person": person, "object": thing}


def drawn(masks: dict[str, NDArray[np.bool_]]) -> list[NDArray[np.uint8]]:
    """Frames that show the masks, and how far the clip is in the blue of the background."""
    frames = []
    for number, (person, thing) in enumerate(zip(*masks.values(), strict=True)):
        frame = np.zeros((*person.shape, 3), np.uint8)
        frame[..., 2] = 4 * number
        frame[person], frame[thing] = WHITE, RED
        frames.append(frame)
    return frames


def boxes_of(mask: NDArray[np.bool_], number: int, role: str) -> dict[str, Any]:
    y, x = np.nonzero(mask)
    corners = [float(v) for v in (x.min(), y.min(), x.max() + 1, y.max() + 1)]
    return {"frame": number, "xyxy": corners, "score": 1.0, "role": role, "prompt": role}


def make(
    folder: Path,
    ids: Sequence[str],
    count: int = 24,
    size: tuple[int, int] = (96, 128),
    numbers: Sequence[int] | None = None,
    boxes: bool = True,
) -> list[Record]:
    """Videos (lossless) and a store of their masks; masks only of frames `numbers`."""
    kept = list(range(count)) if numbers is None else list(numbers)
    made: list[Record] = []
    with StoreWriter(str(folder / "masks"), "masks", {"test": 1}, {}, root=str(folder)) as out:
        for seed, id in enumerate(ids):
            masks = shapes(count, *size, seed)
            write_video(folder / f"{id}.mkv", drawn(masks), codec="ffv1", pix_fmt="bgr0")
            found = [
                boxes_of(masks[role][number], number, role) for number in kept for role in masks
            ]
            arrays = {name: mask[kept] for name, mask in masks.items()}
            arrays |= {"frame": np.array(kept), "time": np.array(kept) / 25}
            attrs = {"height": size[0], "width": size[1], "packets": count}
            attrs["digest"] = digest(folder / f"{id}.mkv")
            record = {"id": id, "video": f"{id}.mkv", "label": ("walk", "wave")[seed % 2]}
            made += out.add(record, attrs, arrays, found if boxes else None)
        made += out.close()
    return made
