"""Records to records with masks, and the store that holds them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sbtools import __version__, records, work
from sbtools.backends import Choice
from sbtools.clip import Head, Look
from sbtools.detect.base import Box
from sbtools.detect.stage import Remote, described
from sbtools.detect.task import to_json
from sbtools.job import Job
from sbtools.records import Record
from sbtools.segment.base import Segmenter
from sbtools.segment.packing import packed
from sbtools.segment.task import looks_up
from sbtools.stage import attributes, into_store, items_of
from sbtools.store import StoreWriter
from sbtools.work import Chunks, Work

FACTORY = "sbtools.segment.task:make"
OF_RECORD = "those of the record"
DEPENDS_ON = ("video", "start", "end", "objects")
MOVED = ("boxes", "sampled", "rle")


class Segmentation:
    """What a run of segment makes, and of what: the back ends, the frames, the prompts.

    `frames` is a frame rule; None takes the frames that a record says were looked at. A record's
    own boxes are used unless `afresh`. With `keep_boxes` they stay in the record too.
    """

    def __init__(
        self,
        detector: Choice,
        segmenter: Choice,
        *,
        frames: str | None = None,
        prompts: Sequence[str] = (),
        afresh: bool = False,
        keep_boxes: bool = False,
        seed: int = 0,
    ) -> None:
        self.detector, self.segmenter = detector, segmenter
        self.frames, self.prompts = frames, list(prompts)
        self.afresh, self.keep_boxes, self.seed = afresh, keep_boxes, seed
        self.remote = Remote(detector, prompts)
        self.backend: Segmenter = segmenter.make()
        self.looked_up = looks_up(segmenter)
        self.made_detect = described(self.remote.detector, frames or "8", seed, prompts)
        self.made = self._made()

    def _made(self) -> str:
        settings = dict(self.backend.describe())
        if not self.looked_up:
            settings.setdefault("weights", "none")
        name = settings.pop("name", self.backend.name)
        frames = self.frames or OF_RECORD
        return work.told(name, {**settings, "frames": frames, "sbtools": __version__})

    @property
    def what(self) -> dict[str, Any]:
        """What the store's content depends on."""
        return {
            "stage": "segment",
            "segmenter": self.backend.describe(),
            **self._boxes(),
            "objects": self.prompts,
            "seed": self.seed,
            "keep_boxes": self.keep_boxes,
            "version": __version__,
        }

    def _boxes(self) -> dict[str, Any]:
        if self.looked_up:
            return {"boxes": "those of the masks", "frames": self.frames or "those of the masks"}
        boxes = "detected" if self.afresh else "those of the record, else detected"
        frames = self.frames or "those of the record, else 8"
        return {"detector": self.remote.detector.describe(), "boxes": boxes, "frames": frames}

    def task(self, job: Job) -> Work:
        """What the workers are asked to do."""
        settings = {
            "look": Look(str(job.root), self.frames, self.seed),
            "detector": self.detector,
            "segmenter": self.segmenter,
            "prompts": self.prompts,
            "afresh": self.afresh,
        }
        return Work(FACTORY, settings)

    def finish(self, record: Record, chunks: Chunks) -> dict[str, Any]:
        """What is stored of a clip: its masks come out of the chunks while they are written."""
        first = next(chunks)
        head: Head = first["head"]
        work.warn(record, first["warnings"])
        if first["boxes"] is None or not self.backend.in_worker:
            boxes, masks = self._here(record, head, first["boxes"], chunks)
        else:
            boxes, masks = first["boxes"], chunks
        return {
            "record": self._record(record, head, boxes),
            "attrs": attributes(head),
            "arrays": {"frame": head.wanted, "time": head.times},
            "boxes": to_json(boxes),
            "chunks": masks,
        }

    def _here(
        self, record: Record, head: Head, found: list[Box] | None, chunks: Chunks
    ) -> tuple[list[Box], Chunks]:
        """Boxes and masks by a back end that works in this process, on frames from a worker."""
        clip = Remote.buffer(head, chunks)
        boxes = self.remote.boxes(record, clip) if found is None else found

        def masks() -> Chunks:
            with clip:
                yield from packed(self.backend.segment(clip, boxes))

        return boxes, masks()

    def _record(self, record: Record, head: Head, boxes: Sequence[Box]) -> Record:
        kept = {"sampled": head.wanted, "boxes": to_json(boxes)} if self.keep_boxes else {}
        made = {**record.get("made", {}), "segment": self.made, **given(record)}
        if not self.looked_up and (self.afresh or "boxes" not in record):
            made["detect"] = self.made_detect
        rest = {name: value for name, value in record.items() if name not in MOVED}
        return {**work.probed(rest, head), **kept, "made": made}


def segment(
    incoming: Iterable[Record],
    job: Job,
    plan: Segmentation,
    store: str,
    *,
    run: dict[str, Any] | None = None,
    **parts: Any,
) -> Iterator[Record]:
    """Store the masks of every clip, in order; yields records with their address.

    `store` is the folder; `parts` are StoreWriter's own arguments, `run` what it says of how it
    was made. Raises UsageError when the store was made otherwise.
    """
    out = StoreWriter(
        store, "masks", plan.what, run or {}, shard=job.shard, limit=job.limit,
        root=str(job.root), **parts,
    )  # fmt: skip
    items = items_of(incoming, out, job, _same)
    yield from into_store("segment", items, plan.task(job), plan.finish, out, job)


def given(record: Record) -> dict[str, str]:
    """A fingerprint of the boxes and masks that the record brings, {} for none."""
    brought = {name: record[name] for name in MOVED if name in record}
    if not brought:
        return {}
    return {"given": "sha1:" + hashlib.sha1(records.dump(brought)).hexdigest()[:16]}


def _same(record: Record, stored: Record) -> bool:
    """Whether a stored clip was made of this record."""
    before = stored.get("made", {})
    if given(record).get("given") != before.get("given"):
        return False
    return all(record.get(name) == stored.get(name) for name in DEPENDS_ON)
