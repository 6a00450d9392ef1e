"""Masks that are looked up: no frame is decoded, and boxes come from the masks themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sbtools.backends import BackendSpec
from sbtools.clip import FrameBuffer, FrameSelection, clip_info, locate, open_clip
from sbtools.detect.base import Box
from sbtools.detect.task import Chunk, check_boxes, from_json
from sbtools.errors import ClipError
from sbtools.records import Record
from sbtools.segment.given import GivenMasks
from sbtools.segment.packing import packed
from sbtools.video import FrameRule, Video


class LookupTask:
    """Called with a record, yields its ClipInfo and boxes, then its masks, as SegmentTask does.

    The frames are those that have a mask; a rule in `selection` chooses among them.
    """

    def __init__(self, selection: FrameSelection, segmenter: BackendSpec, **others: Any) -> None:
        self.selection = selection
        self.segmenter: GivenMasks = segmenter.make()

    def __call__(self, record: Record) -> Iterator[Chunk]:
        path = locate(record, self.selection.root)
        with open_clip(record, path) as video:
            wanted = self._wanted(record, video)
            info = clip_info(record, video, wanted, path)
            clip = FrameBuffer(record["id"], video.height, video.width, video.fps, wanted)
        boxes: list[Box] | None = None
        if "boxes" in record:
            boxes = [box for box in from_json(record["boxes"]) if box.frame in set(wanted)]
            check_boxes(boxes, clip.height, clip.width)
        yield {"info": info, "boxes": boxes, "follows": "masks", "warnings": video.warnings}
        yield from packed(self.segmenter.masks(record, clip), boxes)

    def _wanted(self, record: Record, video: Video) -> Sequence[int]:
        known = self.segmenter.frames(record)
        strange = set(known) - set(video.numbers)
        if strange:
            raise ClipError(
                "mismatch", f"there is a mask for frame {min(strange)}, the clip has no such frame"
            )
        if not known:
            raise ClipError("missing", "there is no mask for any frame")
        rule = FrameRule.parse(self.selection.rule or "all")
        return rule.choose(known, self.selection.generator(record))
