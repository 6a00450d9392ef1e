"""Masks on their way from a worker to the parent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from sbtools.detect.base import Box
from sbtools.detect.task import Chunk, check_boxes, written
from sbtools.segment.base import FrameMasks
from sbtools.segment.given import boxes_of

GROUP = 16
"""Frames of a chunk."""


def packed(masks: Iterable[FrameMasks], given: Sequence[Box] | None = None) -> Iterator[Chunk]:
    """Masks in groups of frames, bit-packed, and their boxes, as a record would hold them.

    {"person", "object": uint8 [t, H, ceil(W/8)], "boxes": list of Box}. The boxes of a frame are
    the segmenter's own, else those of `given`, else, where that is None, drawn around the shapes.
    Raises ClipError for a box outside the frame.
    """
    by_frame = None if given is None else _by_frame(given)
    group: list[FrameMasks] = []
    for entry in masks:
        group.append(entry)
        if len(group) == GROUP:
            yield _pack(group, by_frame)
            group = []
    if group:
        yield _pack(group, by_frame)


def _by_frame(boxes: Sequence[Box]) -> dict[int, list[Box]]:
    found: dict[int, list[Box]] = {}
    for box in boxes:
        found.setdefault(box.frame, []).append(box)
    return found


def _pack(group: Sequence[FrameMasks], given: dict[int, list[Box]] | None) -> Chunk:
    person = np.stack([entry.person for entry in group])
    objects = np.stack([entry.object for entry in group]) & ~person
    return {
        "person": np.packbits(person, axis=-1),
        "object": np.packbits(objects, axis=-1),
        "boxes": written([box for entry in group for box in _boxes(entry, given)]),
    }


def _boxes(entry: FrameMasks, given: dict[int, list[Box]] | None) -> Sequence[Box]:
    if entry.boxes is not None:
        check_boxes(entry.boxes, *entry.person.shape)
        return entry.boxes
    return boxes_of(entry) if given is None else given.get(entry.frame, [])
