"""Records with masks to records of composed clips, and the store that holds their pixels."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from sbtools import __version__, work
from sbtools.compose.modes import Composing
from sbtools.job import Job
from sbtools.mask.stage import of_whole_stores, pixels_of
from sbtools.mask.task import movie_path
from sbtools.records import Record
from sbtools.stage import into_store, items_of
from sbtools.store import StoreWriter
from sbtools.work import Chunks, Work

log = logging.getLogger("sbtools")

FACTORY = "sbtools.compose.task:make"
OF_ANOTHER = (
    "masks", "boxes", "sampled", "rle", "features", "scene_scores", "frame_scores", "alternatives",
    "mask_empty", "mode_effective", "fill",
)  # fmt: skip
"""Fields that say something of the clip that is not true of what is made of it."""
MASKS = ("detect", "segment")
"""Stages whose results are not looked at where no masks are needed."""
WITHOUT_OTHER = "without another clip"
OTHER_SCENE = ("scuba", "scufo", "conflfg", "swap", "human-only", "appearance-free")
"""Variants that do not show the scene of the clip."""


def compose(
    incoming: Iterable[Record],
    job: Job,
    composing: Composing,
    store: str,
    *,
    movies: str | None = None,
    run: dict[str, Any] | None = None,
    allow_missing: bool = False,
    **parts: Any,
) -> Iterator[Record]:
    """Store the composed clips of every clip, in order; yields their records.

    As `sbtools.mask.stage.mask` does it. A record ID gives ID//VARIANT-KIND-COPY, as far as there
    are kinds and copies; those that the rule leaves out have the error "dropped".
    """
    run = {} if run is None else run
    what = {"stage": "mask", **composing.describe(), "version": __version__}
    out = StoreWriter(
        store, "pixels", what, run, shard=job.shard, limit=job.limit, root=str(job.root), **parts
    )
    settings = {"composing": composing, "root": str(job.root), "movies": movies}
    plan = Plan(composing, movies)
    planned = plan.records(of_whole_stores(incoming, job, allow_missing, run))
    items = items_of(planned, out, job, plan.same)
    for record in into_store("mask", items, Work(FACTORY, settings), plan.finish, out, job):
        plan.count(record)
        yield record
    plan.tell()


class Plan:
    """What is made of each record, and how many came to what."""

    def __init__(self, composing: Composing, movies: str | None) -> None:
        self.composing, self.movies = composing, movies
        told = {**composing.describe(), "sbtools": __version__}
        self.made = work.told("mask", told)
        self.left_out: Counter[str] = Counter()
        self.seen = self.failed = 0

    def records(self, incoming: Iterable[Record]) -> Iterator[Record]:
        """The records of the clips that are to be made, without what is known once they are."""
        for record in incoming:
            for copy in range(self.composing.copies):
                yield self.planned(record, copy)

    def planned(self, record: Record, copy: int) -> Record:
        """The record of one of the clips that are made of a clip."""
        composing, variant = self.composing, self.composing.mode
        drawn = {"copy": copy} if composing.needs.drawn else {}
        kept = {name: value for name, value in record.items()
                if name == "masks" or name not in OF_ANOTHER}  # fmt: skip
        if not composing.needs.masks and "made" in kept:
            kept["made"] = {name: how for name, how in kept["made"].items() if name not in MASKS}
        if variant in OTHER_SCENE:
            kept.pop("scene", None)
        if composing.partners is None or composing.partners.pairs != "records":
            kept.pop("background_id", None)
            kept.pop("background_label", None)
        made = {**kept, "id": id_of(record["id"], composing, copy), "variant": variant,
                "pair_of": self._original(record["id"], copy),
                "foreground_id": record["id"], "composed": drawn}  # fmt: skip
        if composing.kind is not None:
            made["background_kind"] = composing.kind
        if "label" in record:
            made["foreground_label"] = record["label"]
        made.setdefault("source", record["id"])
        return made

    def _original(self, id: str, copy: int) -> str:
        """Of a still frame of a composite that is the composite."""
        if self.composing.mode != "scufo":
            return id
        return id_of(id, self.composing, copy, "scuba")

    def same(self, record: Record, stored: Record) -> bool:
        """Whether what is stored was made of this record."""
        made = {name: how for name, how in stored.get("made", {}).items() if name != "mask"}
        alike = made == record.get("made", {}) and all(
            record.get(name) == stored.get(name) for name in ("video", "label", "start", "end")
        )
        alike &= record.get("background_id", stored.get("background_id")) == stored.get(
            "background_id"
        )
        there = self.movies is None or os.path.lexists(movie_path(self.movies, record["id"]))
        return alike and there

    def finish(self, record: Record, chunks: Chunks) -> dict[str, Any]:
        """What is stored of a clip: its pixels come out of the chunks while they are written."""
        first = next(chunks)
        head = first["head"]
        attrs, frames = head["attrs"], head["frame"]
        done = {name: value for name, value in record.items() if name != "masks"}
        done |= {name: value for name, value in head["fields"].items() if value is not None}
        done |= {"mode": self.composing.mode, "width": attrs["width"], "height": attrs["height"],
                 "composed": {**record["composed"], **head["composed"]},
                 "made": {**record.get("made", {}), "mask": self.made}}  # fmt: skip
        return {
            "record": done,
            "attrs": attrs,
            "arrays": {"frame": frames, "time": first["time"]},
            "chunks": pixels_of(done, attrs, chunks),
        }

    def count(self, record: Record) -> None:
        """Count a clip as it leaves."""
        self.seen += 1
        kind, why = record.get("error", {}).get("kind"), record.get("error", {}).get("message", "")
        if kind == "dropped":
            self.left_out[self._reason(why)] += 1
        self.failed += kind is not None and kind != "dropped"

    def _reason(self, why: str) -> str:
        if why.startswith("nobody"):
            return "without people"
        return f"by --valid {self.composing.rule.name}" if "--valid" in why else WITHOUT_OTHER

    def tell(self) -> None:
        """Say how many clips came in, and what became of them."""
        lost = sum(self.left_out.values())
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(self.left_out.items()))
        told = f", {lost} left out ({why})" if lost else ""
        told += f", {self.failed} failed" if self.failed else ""
        log.info("%s: %d clips to make%s: N = %d", self.composing.mode, self.seen, told,
                 self.seen - lost - self.failed)  # fmt: skip


def id_of(id: str, composing: Composing, copy: int, variant: str | None = None) -> str:
    """ID//VARIANT-KIND-COPY, as far as there are kinds and copies."""
    parts = [variant or composing.mode, composing.kind, copy if composing.needs.drawn else None]
    return f"{id}//" + "-".join(str(part) for part in parts if part is not None)
