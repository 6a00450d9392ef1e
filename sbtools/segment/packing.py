"""Masks on their way from a worker to the parent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from sbtools.detect.task import Chunk
from sbtools.segment.base import FrameMasks

GROUP = 16
"""Frames of a chunk."""


def packed(masks: Iterable[FrameMasks]) -> Iterator[Chunk]:
    """Masks in groups of frames, bit-packed: {"person", "object"} uint8 [t, H, ceil(W/8)]."""
    group: list[FrameMasks] = []
    for entry in masks:
        group.append(entry)
        if len(group) == GROUP:
            yield _pack(group)
            group = []
    if group:
        yield _pack(group)


def _pack(group: Sequence[FrameMasks]) -> Chunk:
    person = np.stack([entry.person for entry in group])
    objects = np.stack([entry.object for entry in group]) & ~person
    return {"person": np.packbits(person, axis=-1), "object": np.packbits(objects, axis=-1)}
