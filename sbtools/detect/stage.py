"""Records to records with boxes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

from sbtools import __version__, records, work
from sbtools.backends import BackendSpec
from sbtools.clip import ClipInfo, FrameBuffer, FrameSelection
from sbtools.detect.base import Box, Detector
from sbtools.detect.task import Chunk, prompts_of, to_json, written
from sbtools.detect.tracks import numbered
from sbtools.errors import ClipError, UsageError
from sbtools.job import Job
from sbtools.records import Record
from sbtools.resumable import ResumableJsonl, shard_path
from sbtools.work import Item, Work

log = logging.getLogger("sbtools")

FACTORY = "sbtools.detect.task:make"


class Remote:
    """A detector that works in the parent, on frames that workers decode.

    read: whether somebody else reads the prompts; else UsageError for a detector that reads none.
    """

    def __init__(self, choice: BackendSpec, prompts: Sequence[str], read: bool = False) -> None:
        self.detector: Detector = choice.make()
        self.prompts = list(prompts)
        if self.prompts and not (read or self.detector.takes_prompts):
            raise UsageError(
                f"detector {choice.name} finds people only, it takes no --object; "
                "use a detector that reads text prompts"
            )

    def boxes(self, record: Record, clip: FrameBuffer) -> list[Box]:
        """The boxes of a clip, as a record would hold them."""
        return written(self.detector.detect(clip, prompts_of(record, self.prompts)))

    @staticmethod
    def buffer(info: ClipInfo, chunks: Iterator[Chunk]) -> FrameBuffer:
        """The frames of a clip, from chunks."""
        clip = FrameBuffer(info.id, info.height, info.width, info.fps, info.wanted)
        for chunk in chunks:
            clip.fill(zip(chunk["numbers"], chunk["frames"], strict=True))
        return clip


def detect(
    incoming: Iterable[Record],
    job: Job,
    detector: BackendSpec,
    *,
    frames: str = "8",
    prompts: Sequence[str] = (),
    tracks: bool = False,
    keep: str | None = None,
    overwrite: bool = False,
) -> Iterator[Record]:
    """Add `sampled` and `boxes` to every record, in order.

    `frames` is a frame rule. `tracks` links the boxes over time. `keep` is a JSONL file that holds
    the records and is continued.
    Raises UsageError for settings that do not fit the detector or the file.
    """
    remote = Remote(detector, prompts)
    made = described(remote.detector, frames, job.seed, prompts, tracks)
    path = shard_path(keep, job.shard) if keep else None
    with ResumableJsonl(path, "detect", made, overwrite) if path else nullcontext() as kept:
        settings = {
            "selection": FrameSelection(str(job.root), frames, job.seed),
            "detector": detector,
            "prompts": list(prompts),
            "tracks": tracks,
        }
        items = _items(incoming, kept.done if kept else {})
        for got in work.run(items, Work(FACTORY, settings), job):
            if got is None:
                continue
            item, chunks = got
            record = item.again or _detected(item.record, chunks, remote, made, tracks)
            if kept and (item.again is None or "error" in record):
                kept.keep(record)
            yield record


def described(
    detector: Detector, frames: str, seed: int, prompts: Sequence[str], tracks: bool = False
) -> str:
    """What the field `made` says of boxes."""
    settings: dict[str, Any] = {**detector.describe(), "frames": frames, "seed": seed}
    settings.setdefault("weights", "none")
    name = settings.pop("name", detector.name)
    if prompts:
        settings["objects"] = list(prompts)
    if tracks:
        settings["tracks"] = "linked"
    return work.told(name, {**settings, "sbtools": __version__})


def _items(incoming: Iterable[Record], done: dict[str, Record]) -> Iterator[Item]:
    again = 0
    for record in incoming:
        if "error" in record:
            yield Item(record, record)
            continue
        before = done.get(record["id"])
        if before is not None and any(before.get(k) != v for k, v in record.items() if k in FIXED):
            log.warning("%s: the record has changed, its boxes are made again", record["id"])
            before = None
        again += before is not None
        yield Item(record, before)
    if again:
        log.info("%d clips were done already", again)


FIXED = ("video", "start", "end", "objects", "label", "digest")


def _detected(
    record: Record, chunks: Iterator[Chunk], remote: Remote, made: str, tracks: bool
) -> Record:
    try:
        first = next(chunks)
        info: ClipInfo = first["info"]
        boxes = first["boxes"]
        if boxes is None:
            with remote.buffer(info, chunks) as clip:
                boxes = remote.boxes(record, clip)
            boxes = numbered(boxes) if tracks else boxes
        work.drain(chunks)
    except ClipError as error:
        return records.fail(record, "detect", error)
    work.warn(record, first["warnings"])
    return {
        **work.probed(record, info),
        "digest": info.digest,
        "sampled": info.wanted,
        "boxes": to_json(boxes),
        "made": {**record.get("made", {}), "detect": made},
    }
