"""Masks that are the boxes of the records: each box a filled rectangle.

The masks of SCUBA's clips of UCF101, which were cut out by the boxes of UCF101-24
(lihaoxin05/StillMix cb32bca, benchmark_synthesis/replacebackground_with_box_for_UCF101_test.py);
there one box a frame, here all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from sbtools.detect.base import OBJECT, PERSON, Box, Clip
from sbtools.detect.boxes import Xyxy, clip
from sbtools.detect.task import from_json
from sbtools.errors import ClipError
from sbtools.records import Record
from sbtools.segment.base import FrameMasks, Mask
from sbtools.segment.given import GivenMasks


class BoxSegmenter(GivenMasks):
    """Fills the boxes of the records. Frames in `sampled` without a box are empty."""

    name = "boxes"

    def frames(self, record: Record) -> list[int]:
        """The numbers of the frames that have a box or were looked at."""
        return sorted({box.frame for box in _boxes(record)} | {*record.get("sampled", [])})

    def masks(self, record: Record, clip: Clip) -> Iterator[FrameMasks]:
        """The masks of every wanted frame: the union of its boxes, by role."""
        by_frame: dict[int, list[Box]] = defaultdict(list)
        for box in _boxes(record):
            by_frame[box.frame].append(box)
        size = clip.height, clip.width
        for number in clip.wanted:
            boxes = by_frame[number]
            yield FrameMasks(
                number,
                filled([box.xyxy for box in boxes if box.role == PERSON], *size),
                filled([box.xyxy for box in boxes if box.role == OBJECT], *size),
            )


def filled(boxes: Sequence[Xyxy], height: int, width: int) -> Mask:
    """The union of boxes, bool [height, width], whose corners are cut to whole pixels.

    Rows int(y0) to int(y1) and columns int(x0) to int(x1), the last ones exclusive.
    """
    mask = np.zeros((height, width), np.bool_)
    for box in boxes:
        x0, y0, x1, y1 = (int(side) for side in clip(box, height, width))
        mask[y0:y1, x0:x1] = True
    return mask


def _boxes(record: Record) -> list[Box]:
    if "boxes" not in record:
        raise ClipError(
            "missing", "the record has no field 'boxes': sbtools detect finds people and objects"
        )
    return from_json(record["boxes"])
