"""Cuboids of clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Cuboid:
    """Of frames, rows and columns, from a place to before another."""

    frames: slice
    rows: slice
    columns: slice

    @property
    def voxels(self) -> int:
        """How many pixels of how many frames it has, together."""
        sides = [each.stop - each.start for each in (self.frames, self.rows, self.columns)]
        return sides[0] * sides[1] * sides[2]


def window(draws: np.random.Generator, side: int, length: int) -> slice:
    """So many places of a side about one that is drawn anywhere on it, as far as they lie on it."""
    first = int(draws.integers(side)) - length // 2
    return slice(max(first, 0), min(first + length, side))


def pasted(video: Tensor, places: Sequence[int], others: Sequence[int], cuboid: Cuboid) -> Tensor:
    """Clips [B, T, 3, H, W] with the cuboid of the others in those at these places."""
    found = video.clone()
    part = (cuboid.frames, slice(None), cuboid.rows, cuboid.columns)
    for place, other in zip(places, others, strict=True):
        found[place][part] = video[other][part]
    return found
