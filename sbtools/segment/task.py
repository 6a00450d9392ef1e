"""A clip's masks, worked out beside the decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sbtools.backends import BackendSpec
from sbtools.clip import Context, FrameBuffer, FrameSelection
from sbtools.detect.base import Box
from sbtools.detect.task import (
    Chunk,
    DetectTask,
    check_boxes,
    fitted,
    frame_chunks,
    from_json,
    prompts_of,
)
from sbtools.records import Record
from sbtools.segment.base import Segmenter, shapes, wants
from sbtools.segment.packing import packed


class SegmentTask(DetectTask):
    """Called with a record, yields its ClipInfo and boxes, then its masks.

    The first chunk is {"info", "boxes", "follows", "warnings"}. A record with `boxes` is not
    detected again, unless `afresh`, nor is any for a segmenter that wants no boxes; `boxes` is None
    where the parent is to detect, or where there are none. Where a back end works in the parent,
    frames follow, else masks.
    """

    def __init__(
        self,
        selection: FrameSelection,
        detector: BackendSpec | None,
        segmenter: BackendSpec,
        prompts: Sequence[str] = (),
        afresh: bool = False,
    ) -> None:
        super().__init__(selection, detector, prompts)
        self.segmenter_choice, self.afresh = segmenter, afresh
        here, self.wants = segmenter.type.in_worker, wants(segmenter.type)
        self.segmenter: Segmenter | None = segmenter.make() if here else None

    def __call__(self, record: Record) -> Iterator[Chunk]:
        with self.looked_at(record) as clip:
            boxes = self.boxes(record, clip.frames)
            info = {"info": clip.info, "boxes": boxes, "warnings": clip.warnings}
            if self.segmenter is None or (boxes is None and "boxes" in self.wants):
                yield {**info, "follows": "frames"}
                yield from frame_chunks(clip.frames)
            else:
                yield {**info, "follows": "masks"}
                prompts = prompts_of(record, self.prompts)
                yield from packed(shapes(self.segmenter, clip.frames, boxes, prompts), boxes)

    def contexts(self) -> list[Context]:
        return [*super().contexts(), (self.segmenter or self.segmenter_choice.type).context]

    def boxes(self, record: Record, clip: FrameBuffer) -> list[Box] | None:
        if "boxes" not in record or (self.afresh and "boxes" in self.wants):
            return super().boxes(record, clip)
        given = from_json(record["boxes"])
        check_boxes(given, clip.height, clip.width)
        return fitted(given, clip.wanted, record.get("sampled", []))


def make(segmenter: BackendSpec, **settings: Any) -> Callable[[Record], Any]:
    """The factory that workers call."""
    if not wants(segmenter.type):
        from sbtools.segment.lookup import LookupTask

        return LookupTask(segmenter=segmenter, **settings)
    return SegmentTask(segmenter=segmenter, **settings)
