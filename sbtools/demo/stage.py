"""The benchmark made: clips over the pool, masks into a store, records into files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from sbtools import __version__, records, work
from sbtools.demo.dataset import FPS, Demo
from sbtools.files import WholeFile, writing
from sbtools.job import Job
from sbtools.records import Record, relative
from sbtools.resumable import shard_path
from sbtools.rng import shard_of
from sbtools.stage import into_store, items_of
from sbtools.store import StoreWriter
from sbtools.work import Chunks, Work

FACTORY = "sbtools.demo.task:make"
EDGES = "hard"
"""Clips of earlier versions mixed the background into the person's edges: not to be continued."""


def make(
    demo: Demo,
    folder: str,
    job: Job,
    *,
    arrays: bool = False,
    limit: int | None = None,
    run: dict[str, Any] | None = None,
    **parts: Any,
) -> Iterator[Record]:
    """Make every clip of `demo` in `folder`; yields its record once its masks are committed.

    Clips go to folder/clips, exact masks of all frames to folder/masks, and, with `arrays`, frames
    as they decode to folder/arrays. When all clips are made, the records of each set stand in
    folder/SET.jsonl. What is there already is not made again.
    """
    store = os.path.join(folder, "masks")
    out = StoreWriter(
        store, "masks", what_of(demo), run or {}, shard=job.shard, limit=limit,
        root=str(job.root), **parts,
    )  # fmt: skip
    wanted = planned(demo, folder, job, arrays, limit)
    job.coming(_count(demo, folder, job, limit))

    def same(record: Record, stored: Record) -> bool:
        cache = record.get("arrays")
        if cache and not os.path.exists(records.resolve(cache, str(job.root))):
            return False
        return record == {name: stored.get(name) for name in record}

    items = items_of(wanted, out, job, same)
    task = Work(FACTORY, {"root": str(job.root), "seed": demo.seed})
    made = work.told("demo", {**_settings(demo), "sbtools": __version__})

    def finish(record: Record, chunks: Chunks) -> dict[str, Any]:
        return _stored(record, next(chunks), chunks, made)

    with Listing(folder, demo, job) as listing:
        for record in into_store("demo", items, task, finish, out, job):
            listing.add(record)
            yield record
        if not job.stop():
            listing.finish()


def planned(
    demo: Demo, folder: str, job: Job, arrays: bool = False, limit: int | None = None
) -> Iterator[Record]:
    """The records of the clips that this run is to make: its shard, and of that the first."""
    index, count = job.shard
    root = str(job.root)
    ours = (r for r in demo.records(folder, root) if shard_of(r["id"], count) == index)
    for record in islice(ours, limit):
        if arrays:
            place = os.path.join(folder, "arrays", records.file_name_of(record["id"], ".npy"))
            record["arrays"] = relative(place, root)
        yield record


def _count(demo: Demo, folder: str, job: Job, limit: int | None) -> int:
    """How many clips `planned` gives; only of a shard are they to be listed for it."""
    if job.shard[1] > 1:
        return sum(1 for _ in planned(demo, folder, job, limit=limit))
    return demo.total() if limit is None else min(demo.total(), limit)


def what_of(demo: Demo) -> dict[str, Any]:
    """What the content of the store depends on, besides the records themselves."""
    return {"stage": "demo", **_settings(demo), "version": __version__}


def _settings(demo: Demo) -> dict[str, Any]:
    return {"size": demo.size, "frames": demo.frames, "seed": demo.seed, "edges": EDGES}


def _stored(record: Record, head: dict[str, Any], chunks: Chunks, made: str) -> dict[str, Any]:
    count = record["frames"]
    return {
        "record": {**record, "made": {"demo": made}},
        "attrs": {
            "height": record["height"],
            "width": record["width"],
            "packets": count,
            "decoded_frames": count,
            "digest": head["digest"],
        },
        "arrays": {"frame": np.arange(count), "time": np.arange(count) / FPS},
        "boxes": head["boxes"],
        "chunks": chunks,
    }


class Listing:
    """folder/SET.jsonl for every set; the files take their names when all is done."""

    def __init__(self, folder: str, demo: Demo, job: Job) -> None:
        self.folder, self.shard = folder, job.shard
        self.sets = {place: self._path(place) for place, _, _ in demo.sets()}
        self.files: dict[str, WholeFile] = {}

    def _path(self, place: str) -> str:
        return shard_path(os.path.join(self.folder, f"{place.replace('/', '-')}.jsonl"), self.shard)

    def __enter__(self) -> Listing:
        return self

    def add(self, record: Record) -> None:
        """Note a record; OutputError when the disk is full."""
        place = record["id"].rpartition("/")[0]
        with writing(self.sets[place]):
            if place not in self.files:
                self.files[place] = WholeFile(self.sets[place])
            self.files[place].file.write(records.dump(record))

    def finish(self) -> None:
        """Give the files their names."""
        for place, whole in self.files.items():
            with writing(self.sets[place]):
                whole.commit()

    def __exit__(self, *details: object) -> None:
        for whole in self.files.values():
            whole.discard()
