"""A clip's boxes, worked out beside the decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from operator import index
from typing import Any

import numpy as np

from sbtools.backends import BackendSpec
from sbtools.clip import Context, Decoded, FrameBuffer, FrameSelection, decoded
from sbtools.detect.base import PERSON, Box, Detector
from sbtools.detect.tracks import interpolate, numbered
from sbtools.errors import ClipError
from sbtools.records import TRACKS, Record

Chunk = dict[str, Any]
FRAMES_BYTES = 8 << 20


class DetectTask:
    """Called with a record, yields its ClipInfo and boxes, then frames if the parent needs them.

    The first chunk is {"info", "boxes", "warnings"}; `boxes` is None when the parent is to detect,
    and then the frames follow. tracks: whether boxes are given numbers of their tracks.
    """

    def __init__(
        self,
        selection: FrameSelection,
        detector: BackendSpec | None,
        prompts: Sequence[str] = (),
        tracks: bool = False,
    ) -> None:
        self.selection, self.prompts, self.tracks = selection, list(prompts), tracks
        self.choice = detector
        here = detector is not None and detector.type.in_worker
        self.detector: Detector | None = detector.make() if detector and here else None

    def __call__(self, record: Record) -> Iterator[Chunk]:
        with self.looked_at(record) as clip:
            boxes = self.boxes(record, clip.frames)
            yield {"info": clip.info, "boxes": boxes, "warnings": clip.warnings}
            if boxes is None:
                yield from frame_chunks(clip.frames)

    @contextmanager
    def looked_at(self, record: Record) -> Iterator[Decoded]:
        """The clip decoded, with the frames that the back ends need."""
        with decoded(record, self.selection, self.contexts()) as clip:
            yield clip

    def contexts(self) -> list[Context]:
        """What the back ends ask for besides the wanted frames."""
        found = self.detector or (self.choice and self.choice.type)
        return [found.context] if found else []

    def boxes(self, record: Record, clip: FrameBuffer) -> list[Box] | None:
        """The boxes as a record would hold them; None where the parent detects."""
        if self.detector is None:
            return None
        found = written(self.detector.detect(clip, prompts_of(record, self.prompts)))
        return numbered(found) if self.tracks else found


def make(
    selection: FrameSelection, detector: BackendSpec, prompts: Sequence[str], tracks: bool = False
) -> Callable[[Record], Any]:
    """The factory that workers call."""
    return DetectTask(selection, detector, prompts, tracks)


def prompts_of(record: Record, prompts: Sequence[str]) -> list[str]:
    """The object prompts of a clip: those of the command, then its own, each once."""
    return list(dict.fromkeys([*prompts, *record.get("objects", [])]))


def written(boxes: Sequence[Box]) -> list[Box]:
    """Boxes as records hold them, so that a pipe and one command give the same masks.

    Corners stay as they are: a pixel is in a box or not by the last of their digits. ClipError for
    a track that no record could hold.
    """
    return [
        Box(
            int(box.frame),
            tuple(float(value) for value in box.xyxy),  # type: ignore[arg-type]
            round(float(box.score), 4),
            box.role,
            box.prompt,
            None if box.track is None else _track(box),
        )
        for box in sorted(boxes, key=lambda box: box.frame)
    ]


def _track(box: Box) -> int:
    number = index(box.track)  # type: ignore[arg-type]
    if not 0 <= number < TRACKS:
        raise ClipError(
            "invalid", f"track {number} of a box of frame {box.frame} is not 0 to {TRACKS - 1}"
        )
    return number


def to_json(boxes: Sequence[Box]) -> list[dict[str, Any]]:
    """Boxes as the record's field holds them: `track` is there where it is known."""
    entries = [{**asdict(box), "xyxy": list(box.xyxy)} for box in boxes]
    for entry in entries:
        if entry["track"] is None:
            del entry["track"]
    return entries


def from_json(entries: Sequence[dict[str, Any]]) -> list[Box]:
    """Boxes of the record's field."""
    return written(
        [
            Box(
                entry["frame"],
                tuple(entry["xyxy"]),
                entry.get("score", 1.0),
                entry.get("role", PERSON),
                entry.get("prompt", entry.get("role", PERSON)),
                entry.get("track"),
            )
            for entry in entries
        ]
    )


def fitted(boxes: Sequence[Box], wanted: Sequence[int], sampled: Sequence[int]) -> list[Box]:
    """Boxes at the wanted frames; between the frames that were looked at, interpolated."""
    looked_at = set(sampled) | {box.frame for box in boxes}
    missing = [frame for frame in wanted if frame not in looked_at]
    found = [box for box in boxes if box.frame in set(wanted)]
    return written([*found, *(interpolate(boxes, missing) if missing else [])])


def frame_chunks(clip: FrameBuffer) -> Iterator[Chunk]:
    """The frames of a clip, a few megabytes at a time: {"numbers", "frames" [t, H, W, 3]}."""
    step = max(1, FRAMES_BYTES // max(clip.height * clip.width * 3, 1))
    for first in range(0, len(clip.numbers), step):
        numbers = clip.numbers[first : first + step]
        yield {"numbers": numbers, "frames": np.stack([clip.frame(n) for n in numbers])}


def check_boxes(boxes: Sequence[Box], height: int, width: int) -> None:
    """ClipError when a box lies wholly outside the frame: its pixels are of another size."""
    for box in boxes:
        x0, y0, x1, y1 = box.xyxy
        if x1 < 0 or y1 < 0 or x0 > width or y0 > height:
            where = f"box {[round(side, 2) for side in box.xyxy]} of frame {box.frame}"
            raise ClipError("mismatch", f"{where} lies outside the frame, {width}x{height}")
