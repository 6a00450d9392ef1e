"""How far a store is: its shards, its clips, and what is to be submitted again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from sbtools.records import Record, counts_as_failure
from sbtools.rng import shard_of
from sbtools.store.held import held_ids
from sbtools.store.shards import Shards, as_array, count_of_parts, read_marker, shards_of


@dataclass
class Status:
    """Shards and clips of a store.

    clips: those that are done, with or without success; failed: of them, without. left: those of
    the list of all clips that are not done, None where there is no list. again: shards to submit
    again, `of` so many.
    """

    shards: Shards
    of: int
    clips: int
    failed: int
    left: int | None = None
    again: list[int] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing is known to be missing."""
        return self.shards.whole and not self.left and not self.again

    @property
    def array(self) -> str:
        """What `sbatch --array` is to be given, "" for nothing."""
        return as_array(self.again)

    def as_json(self, store: str) -> dict[str, Any]:
        """One object, see sbtools-status(1)."""
        found = self.shards
        counts = {
            name: len(getattr(found, name)) for name in ("done", "failed", "running", "missing")
        }
        return {
            "store": store, "shards": found.count, **counts, "clips_done": self.clips - self.failed,
            "clips_failed": self.failed, "clips_left": self.left, "array": self.array,
            "running_shards": as_array(found.running), "joining": found.joining,
        }  # fmt: skip


def status(folder: str, clips: Iterable[Record] | None = None) -> Status:
    """What is there of a store, by its markers; with the list of all clips, by its parts too.

    A clip of the list that failed before it came to this store counts as failed. DamagedError for a
    part that cannot be read.
    """
    found = shards_of(folder)
    of = found.count or count_of_parts(folder)
    if clips is not None:
        return _against(folder, found, of, clips)
    if found.count:
        return Status(found, of, found.clips, found.clips_failed, None, found.again)
    there, failed = held_ids(folder)
    lost = sum(map(counts_as_failure, failed.values()))
    return Status(found, of, len(there) + lost, lost)


def _against(folder: str, found: Shards, of: int, clips: Iterable[Record]) -> Status:
    there, failed = held_ids(folder)
    limited = _limited(folder, found)
    told = Status(found, of, 0, 0, 0)
    again = set(found.again)
    for record in clips:
        id = record["id"]
        shard = shard_of(id, of) if of else 0
        if id in there:
            told.clips += 1
        elif id in failed or "error" in record:
            told.clips += 1
            told.failed += counts_as_failure(failed.get(id, record))
        elif shard not in limited:
            told.left = (told.left or 0) + 1
            again |= {shard} - {*found.running} if of else set()
    told.again = sorted(again)
    return told


def _limited(folder: str, found: Shards) -> set[int]:
    """Shards that were to take some of their clips, and did."""
    markers = {index: read_marker(folder, (index, found.count)) for index in found.done}
    return {index for index, marker in markers.items() if marker and marker.limit is not None}


def last_words(folder: str, found: Shards) -> list[str]:
    """Where and when the shards were begun that did not come to their end, a line each."""
    told = []
    for index in found.failed:
        marker = read_marker(folder, (index, found.count))
        run = {**asdict(marker)["run"]} if marker and marker.run else {}
        where = f" on {run['host']}" if run.get("host") else ""
        when = f" at {run['time']}" if run.get("time") else ""
        job = f" (Slurm job {run['job']}_{run['task']})" if run.get("job") else ""
        told.append(f"shard {index} did not finish: begun{where}{when}{job}")
    return told
