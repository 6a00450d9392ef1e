"""Records with masks to records with masked pixels, and the store that holds them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from typing import Any

from sbtools import __version__, work
from sbtools.job import Job
from sbtools.mask.task import Masking, movie_path
from sbtools.records import Record, resolve
from sbtools.stage import into_store, items_of
from sbtools.store import StoreWriter, split_address
from sbtools.store.shards import require_whole
from sbtools.work import Chunks, Work

log = logging.getLogger("sbtools")

FACTORY = "sbtools.mask.task:make"


def mask(
    incoming: Iterable[Record],
    job: Job,
    masking: Masking,
    store: str,
    *,
    movies: str | None = None,
    run: dict[str, Any] | None = None,
    allow_missing: bool = False,
    **parts: Any,
) -> Iterator[Record]:
    """Store the masked frames of every clip, in order; yields records with their address.

    `store` is the folder, `movies` a folder for H.264 files beside it; `parts` are StoreWriter's
    own arguments. Raises UsageError when the store was made otherwise, SbtoolsError when shards
    of the masks are missing, unless `allow_missing`: then `run` says so.
    """
    run = {} if run is None else run
    out = StoreWriter(
        store, "pixels", what_of(masking), run, shard=job.shard, limit=job.limit,
        root=str(job.root), **parts,
    )  # fmt: skip
    task = Work(FACTORY, {"masking": masking, "root": str(job.root), "movies": movies})
    count = Count(masking)

    def same(record: Record, stored: Record) -> bool:
        return _same(record, stored) and (movies is None or _has_movie(movies, record["id"]))

    items = items_of(of_whole_stores(incoming, job, allow_missing, run), out, job, same)
    for record in into_store("mask", items, task, count.finish, out, job):
        count.dropped += record.get("error", {}).get("kind") == "dropped"
        yield record
    count.tell()


def of_whole_stores(
    incoming: Iterable[Record], job: Job, allowed: bool, run: dict[str, Any]
) -> Iterator[Record]:
    """The records, once the store that a clip's masks are in is known to have all its shards."""
    seen = set()
    for record in incoming:
        path, _ = split_address(record.get("masks", ""))
        folder = os.path.dirname(path)
        if path and folder not in seen:
            seen.add(folder)
            place = resolve(folder, str(job.root))
            told = require_whole(place, allowed, job.shard, joining=True)
            if told:
                log.warning("%s", told)
                run.setdefault("missing_shards", []).append(told)
        yield record


def what_of(masking: Masking) -> dict[str, Any]:
    """What the store's content depends on."""
    return {
        "stage": "mask",
        "mode": masking.mode,
        **masking.fill.describe(),
        "on_empty": masking.on_empty,
        "seed": masking.seed,
        "version": __version__,
    }


class Count:
    """Completes the records, and counts the clips in which the mode found nothing to go by."""

    def __init__(self, masking: Masking) -> None:
        self.masking = masking
        self.clips = self.partly = self.wholly = self.dropped = 0
        settings = {k: v for k, v in what_of(masking).items() if k not in ("stage", "version")}
        self.made = work.told("mask", {**settings, "sbtools": __version__})

    def finish(self, record: Record, chunks: Chunks) -> dict[str, Any]:
        """What is stored of a clip: its pixels come out of the chunks while they are written."""
        first = next(chunks)
        head = first["head"]
        self.add(head["empty"], len(head["frame"]))
        attrs = head["attrs"]
        done = {
            **record,
            "mode": self.masking.mode,
            "mode_effective": head["effective"],
            "fill": head["fill"],
            "mask_empty": head["empty"],
            "made": {**record.get("made", {}), "mask": self.made},
        }
        return {
            "record": done,
            "attrs": attrs,
            "arrays": {"frame": head["frame"], "time": first["time"]},
            "chunks": pixels_of(done, attrs, chunks),
        }

    def add(self, empty: int, frames: int) -> None:
        """Count a clip of so many frames, in so many of which nothing was found."""
        self.clips += 1
        self.wholly += empty == frames
        self.partly += 0 < empty < frames

    def tell(self) -> None:
        """Say how many clips had nothing to go by."""
        if self.dropped:
            log.warning(
                "%d clips were dropped: nothing was found in any of their frames", self.dropped
            )
        wholly = f"any frame of {self.wholly} of {self.clips} clips" if self.wholly else ""
        partly = f"some frames of {self.partly} of {self.clips} clips" if self.partly else ""
        if wholly and partly:
            partly = f"some frames of {self.partly} more"
        if wholly or partly:
            told = ", in ".join(filter(None, (wholly, partly)))
            log.warning("%s found nothing in %s", self.masking.mode, told)


def pixels_of(record: Record, attrs: dict[str, Any], chunks: Chunks) -> Chunks:
    for chunk in chunks:
        if "tail" in chunk:
            attrs["decoded_frames"] = chunk["tail"]
            work.warn(record, chunk["warnings"])
        else:
            yield chunk


def _same(record: Record, stored: Record) -> bool:
    """Whether the stored pixels were made of this record's masks."""
    made = {k: v for k, v in stored.get("made", {}).items() if k != "mask"}
    return made == record.get("made", {}) and record.get("video") == stored.get("video")


def _has_movie(folder: str, id: str) -> bool:
    return os.path.exists(movie_path(folder, id))
