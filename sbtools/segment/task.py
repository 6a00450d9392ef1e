"""A clip's masks, worked out beside the decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sbtools.backends import Choice
from sbtools.clip import Context, FrameBuffer, Look
from sbtools.detect.base import Box
from sbtools.detect.task import Chunk, DetectTask, check_boxes, fitted, frame_chunks, from_json
from sbtools.records import Record
from sbtools.segment.base import Segmenter
from sbtools.segment.packing import packed


class SegmentTask(DetectTask):
    """Called with a record, yields its head and boxes, then its masks.

    A record with `boxes` is not detected again, unless `afresh`. Where a back end works in the
    parent, the frames follow in the masks' place.
    """

    def __init__(
        self,
        look: Look,
        detector: Choice,
        segmenter: Choice,
        prompts: Sequence[str] = (),
        afresh: bool = False,
    ) -> None:
        super().__init__(look, detector, prompts)
        self.segmenter_choice, self.afresh = segmenter, afresh
        here = segmenter.type.in_worker
        self.segmenter: Segmenter | None = segmenter.make() if here else None

    def __call__(self, record: Record) -> Iterator[Chunk]:
        with self.looked_at(record) as clip:
            boxes = self.boxes(record, clip.frames)
            yield {"head": clip.head, "boxes": boxes, "warnings": clip.warnings}
            if boxes is None or self.segmenter is None:
                yield from frame_chunks(clip.frames)
            else:
                yield from packed(self.segmenter.segment(clip.frames, boxes))

    def contexts(self) -> list[Context]:
        return [*super().contexts(), (self.segmenter or self.segmenter_choice.type).context]

    def boxes(self, record: Record, clip: FrameBuffer) -> list[Box] | None:
        if "boxes" not in record or self.afresh:
            return super().boxes(record, clip)
        given = from_json(record["boxes"])
        check_boxes(given, clip.height, clip.width)
        return fitted(given, clip.wanted, record.get("sampled", []))


def make(segmenter: Choice, **settings: Any) -> Callable[[Record], Any]:
    """The factory that workers call."""
    if looks_up(segmenter):
        from sbtools.segment.lookup import LookupTask

        return LookupTask(segmenter=segmenter, **settings)
    return SegmentTask(segmenter=segmenter, **settings)


def looks_up(segmenter: Choice) -> bool:
    """Whether the segmenter brings masks that exist already, and needs no boxes."""
    return hasattr(segmenter.type, "masks")
