"""Records to records with masks, and the store that holds them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sbtools import __version__, records, work
from sbtools.backends import BackendSpec
from sbtools.clip import ClipInfo, FrameBuffer, FrameSelection
from sbtools.detect.base import Box
from sbtools.detect.stage import Remote, described
from sbtools.detect.task import prompts_of, to_json
from sbtools.errors import UsageError
from sbtools.job import Job
from sbtools.records import Record
from sbtools.segment.base import Segmenter, shapes, wants
from sbtools.segment.packing import packed
from sbtools.stage import attributes, into_store, items_of
from sbtools.store import StoreWriter
from sbtools.work import Chunks, Work

FACTORY = "sbtools.segment.task:make"
OF_RECORD = "those of the record"
DEPENDS_ON = ("video", "start", "end", "objects")
MOVED = ("boxes", "sampled", "rle")


class Segmentation:
    """What a run of segment makes, and of what: the back ends, the frames, the prompts.

    `detector` is None for a segmenter that wants no boxes. `frames` is a frame rule; None takes the
    frames that a record says were looked at. A record's own boxes are used unless `afresh`. With
    `keep_boxes` they stay in the record too. UsageError for prompts that nobody reads.
    """

    def __init__(
        self,
        detector: BackendSpec | None,
        segmenter: BackendSpec,
        *,
        frames: str | None = None,
        prompts: Sequence[str] = (),
        afresh: bool = False,
        keep_boxes: bool = False,
        seed: int = 0,
    ) -> None:
        self.segmenter, self.wants = segmenter, wants(segmenter.type)
        self.detector = self._needed(detector)
        self.frames, self.prompts = frames, list(prompts)
        self.afresh, self.keep_boxes, self.seed = afresh, keep_boxes, seed
        reads = "prompts" in self.wants
        if prompts and not reads and self.detector is None:
            raise UsageError(
                f"segmenter {segmenter.name} reads no prompts, and no detector is used: leave "
                "--object out"
            )
        self.remote = Remote(self.detector, prompts, read=reads) if self.detector else None
        self.made_detect = self._made_detect()
        self.backend: Segmenter = segmenter.make()
        self.made = self._made()

    def _needed(self, detector: BackendSpec | None) -> BackendSpec | None:
        """The detector where boxes are wanted."""
        if "boxes" not in self.wants:
            return None
        if detector is None:
            raise UsageError(f"segmenter {self.segmenter.name} wants boxes: name a detector")
        return detector

    def _made_detect(self) -> str | None:
        if self.remote is None:
            return None
        return described(self.remote.detector, self.frames or "8", self.seed, self.prompts)

    def _made(self) -> str:
        settings = dict(self.backend.describe())
        if self.wants:
            settings.setdefault("weights", "none")
        if self.prompts and "prompts" in self.wants:
            settings["objects"] = self.prompts
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
        if not self.wants:
            return {"boxes": "those of the masks", "frames": self.frames or "those of the masks"}
        frames = self.frames or "those of the record, else 8"
        if self.remote is None:
            return {"boxes": "those of the masks", "frames": frames}
        boxes = "detected" if self.afresh else "those of the record, else detected"
        return {"detector": self.remote.detector.describe(), "boxes": boxes, "frames": frames}

    def task(self, job: Job) -> Work:
        """What the workers are asked to do."""
        settings = {
            "selection": FrameSelection(str(job.root), self.frames, self.seed),
            "detector": self.detector,
            "segmenter": self.segmenter,
            "prompts": self.prompts,
            "afresh": self.afresh,
        }
        return Work(FACTORY, settings)

    def finish(self, record: Record, chunks: Chunks) -> dict[str, Any]:
        """What is stored of a clip: its masks come out of the chunks while they are written.

        Its boxes come with them, so that record and boxes are whole when all chunks were read.
        """
        first = next(chunks)
        info: ClipInfo = first["info"]
        work.warn(record, first["warnings"])
        boxes: list[dict[str, Any]] = []
        if first["follows"] == "frames":
            chunks = self._here(record, Remote.buffer(info, chunks), first["boxes"])
        return {
            "record": self._record(record, info, boxes),
            "attrs": attributes(info),
            "arrays": {"frame": info.wanted, "time": info.times},
            "boxes": boxes,
            "chunks": _without_boxes(chunks, boxes),
        }

    def _here(self, record: Record, clip: FrameBuffer, boxes: list[Box] | None) -> Chunks:
        """Masks by a back end that works in this process, on frames from a worker."""
        with clip:
            if boxes is None and self.remote is not None:
                boxes = self.remote.boxes(record, clip)
            prompts = prompts_of(record, self.prompts)
            yield from packed(shapes(self.backend, clip, boxes, prompts), boxes)

    def _record(self, record: Record, info: ClipInfo, boxes: list[dict[str, Any]]) -> Record:
        kept = {"sampled": info.wanted, "boxes": boxes} if self.keep_boxes else {}
        made = {**record.get("made", {}), "segment": self.made, **given(record)}
        if self.made_detect is not None and (self.afresh or "boxes" not in record):
            made["detect"] = self.made_detect
        rest = {name: value for name, value in record.items() if name not in MOVED}
        return {**work.probed(rest, info), **kept, "made": made}


def _without_boxes(chunks: Chunks, boxes: list[dict[str, Any]]) -> Chunks:
    """The chunks, whose boxes go into `boxes` as they pass."""
    for chunk in chunks:
        boxes += to_json(chunk.pop("boxes"))
        yield chunk


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
