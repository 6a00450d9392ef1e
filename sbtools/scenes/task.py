"""A clip's middle frame, decoded and prepared in a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sbtools.clip import clip_info, locate, open_clip
from sbtools.errors import ClipError
from sbtools.records import Record
from sbtools.scenes.base import Prepare
from sbtools.video import FrameRule
from sbtools.work import Chunk

MIDDLE = FrameRule.parse("1")


class FrameTask:
    """Called with a record, yields {"image", "info", "warnings"}.

    One frame is read: of N frames that of number floor(N/2). Height and width are asked for
    after it, since before it they would cost the decoding of the first one.
    """

    def __init__(self, root: str, prepare: Prepare) -> None:
        self.root, self.prepare = root, prepare

    def __call__(self, record: Record) -> Iterator[Chunk]:
        path = locate(record, self.root)
        with open_clip(record, path) as video:
            wanted = MIDDLE.choose(video.numbers)
            if not wanted:
                raise ClipError("mismatch", "no frame of the video lies between start and end")
            ((_, frame),) = video.read(wanted)
            info = clip_info(record, video, wanted, path)
            yield {"image": self.prepare(frame), "info": info, "warnings": video.warnings}


def make(root: str, prepare: Prepare | None) -> Callable[[Record], Iterator[Any]]:
    """The factory that workers call; without `prepare` there is nothing to do for them."""
    return FrameTask(root, prepare) if prepare is not None else lambda record: iter([{}])
