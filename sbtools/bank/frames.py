"""The chosen frames of all clips, in a store of pixels."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sbtools import rng, work
from sbtools.bank.choice import by_clip, chosen
from sbtools.errors import SbtoolsError, UsageError
from sbtools.job import Job, untold
from sbtools.records import Columns, Record
from sbtools.stage import into_store, items_of
from sbtools.store import Stores, StoreWriter
from sbtools.work import Chunks, Work

if TYPE_CHECKING:
    from sbtools.bank.asked import Bank

log = logging.getLogger("sbtools")

FACTORY = "sbtools.bank.task:make_frame"
FIELDS = ("id", "video", "start", "end", "fps", "label", "text", "source", "dataset", "split",
          "scene", "digest", "frame_scores")  # fmt: skip
"""Of a clip's record, what a frame's record has of it, and where its scores are."""


class Known:
    """The scored clips, in columns: what is needed of them to make a bank."""

    def __init__(self) -> None:
        self._records = Columns(FIELDS)

    def append(self, record: Record) -> None:
        """Take one clip."""
        self._records.append(record)

    def by_id(self) -> list[int]:
        """The places of the clips, ordered by their ids."""
        ids = [self._records[place]["id"] for place in range(len(self._records))]
        return sorted(range(len(ids)), key=ids.__getitem__)

    def __getitem__(self, place: int) -> Record:
        return self._records[place]

    def scores(self, places: list[int], root: str) -> list[NDArray[np.float32]]:
        """Float32 [T] of each of these clips."""
        stores = Stores(root)
        return [stores.clip(self[place]["frame_scores"]).features for place in places]


def write(
    known: Known, job: Job, asked: Bank, made: dict[str, Any], store: str, parts: dict[str, Any]
) -> None:
    """Write the chosen frames; what stands there already is not made again.

    made: what the bank depends on, but for the frames that are chosen. Raises UsageError where the
    slice has no frame, SbtoolsError where one cannot be read again.
    """
    frames = list(_chosen(known, job, asked))
    _tell(len(frames), asked)
    lines = "".join(f"{each['id']} {each['score']!r}\n" for each in frames)
    digest = hashlib.sha256(lines.encode("utf-8", "surrogatepass")).hexdigest()
    what = {**made, "chosen": digest, "count": len(frames)}
    told = {"slice": f"{asked.part.low:g}-{asked.part.high:g}", "frames": asked.frames,
            "size": asked.size, "seed": job.seed, "sbtools": made["version"]}  # fmt: skip
    out = StoreWriter(store, "pixels", what, root=str(job.root), **parts)
    task = Work(FACTORY, {"root": str(job.root), "size": asked.size})
    own = replace(job, worked=untold, passed=untold, shard=(0, 1))

    def finish(record: Record, chunks: Chunks) -> dict[str, Any]:
        return _finished(record, chunks, asked.size, work.told("bank", told))

    for record in into_store("bank", items_of(frames, out, own, _same), task, finish, out, own):
        if "error" in record:
            raise SbtoolsError(f"{record['id']} is not in {store}: {record['error']['message']}")


def _chosen(known: Known, job: Job, asked: Bank) -> Iterator[Record]:
    """A record for each frame of the bank, by clip and frame."""
    order = known.by_id()
    each = known.scores(order, str(job.root))
    lengths = np.array([len(scores) for scores in each], np.int64)
    scores = np.concatenate(each) if each else np.zeros(0, np.float32)
    found = chosen(scores, asked.part, asked.frames, rng.generator(job.seed, "", "bank"))
    for some in by_clip(found, lengths, scores):
        record = known[order[some.clip]]
        record.pop("frame_scores")
        for place, score in zip(some.places.tolist(), some.scores.tolist(), strict=True):
            name = f"{record['id']}#{place * asked.every}"
            yield {**record, "id": name, "source": record.get("source", record["id"]),
                   "score": score}  # fmt: skip


def _tell(count: int, asked: Bank) -> None:
    if not count:
        raise UsageError(
            f"there is no frame between the quantiles {asked.part.low:g} and {asked.part.high:g}: "
            "give more clips, or wider --quantiles"
        )
    if count < asked.frames:
        log.warning(
            "only %d frames are between the quantiles, fewer than --frames %d", count, asked.frames
        )


def _finished(record: Record, chunks: Chunks, size: int, made: str) -> dict[str, Any]:
    (chunk,) = chunks
    info = chunk["info"]
    work.warn(record, chunk["warnings"])
    done = {**record, "frame": info.wanted[0], "width": size, "height": size}
    return {
        "record": {**done, "made": {"bank": made}},
        "attrs": {"height": size, "width": size, "packets": info.packets,
                  "decoded_frames": info.decoded, "digest": info.digest},
        "arrays": {"frame": np.array(info.wanted), "time": np.array(info.times),
                   "rgb": chunk["rgb"]},
    }  # fmt: skip


def _same(record: Record, stored: Record) -> bool:
    """Whether a stored frame was made of this record."""
    return all(stored.get(name) == value for name, value in record.items())
