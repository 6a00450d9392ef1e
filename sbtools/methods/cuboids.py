"""Cuboids of clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sbtools.methods.base import Batch
from sbtools.methods.mixing import follow

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


def pasted(batch: Batch, places: Sequence[int], others: Sequence[int], cuboid: Cuboid) -> Batch:
    """The batch with the cuboid of the others in the clips at these places, and in their targets
    as much of the others'."""
    video = batch["video"]
    found = video.clone()
    part = (cuboid.frames, slice(None), cuboid.rows, cuboid.columns)
    for place, other in zip(places, others, strict=True):
        found[place][part] = video[other][part]
    kept = 1 - cuboid.voxels / video[0, :, 0].numel()
    return {**batch, "video": found, "target": follow(batch["target"], places, others, kept)}
