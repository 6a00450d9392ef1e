"""What a writer notes in its store of shards: markers, and clips that failed."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from sbtools.errors import ClipError, SbtoolsError
from sbtools.records import Record
from sbtools.rng import shard_of
from sbtools.store.done import DoneClip
from sbtools.store.held import failed_clip, read_failed
from sbtools.store.layout import Shard, shard_name
from sbtools.store.output import failpoint, write_json, write_named, writing
from sbtools.store.owner import slurm_task
from sbtools.store.part import index_line
from sbtools.store.shards import (
    VERSION,
    Marker,
    count_of,
    failed_name,
    files_of,
    fingerprint,
    marker_name,
    read_marker,
)

ALL = 1 << 160
STARTS = 5
"""Starts of a Slurm task in a row without a clip more, after which it is not begun again."""


@dataclass
class Count:
    """Clips of a shard that a run has been through; ids is the sum of their SHA-1."""

    clips: int = 0
    failed: int = 0
    ids: int = 0

    def add(self, number: int, failed: bool) -> None:
        """One more, whose id has this SHA-1."""
        self.clips += 1
        self.failed += failed
        self.ids = (self.ids + number) % ALL


class Marking:
    """The markers as a writer of `shard` keeps them; with shard (0, 1) it writes none of its own,
    and in the end those of shards whose clips it has been through.

    `failed` has the clips that failed in this shard before, unless `retry_failed`: id -> what was
    printed. Raises OutputError when the disk is full.
    """

    def __init__(
        self,
        folder: str,
        shard: Shard,
        what: Mapping[str, Any],
        limit: int | None = None,
        retry_failed: bool = False,
    ) -> None:
        self.folder, self.shard, self.limit = folder, shard, limit
        self.what = fingerprint(what)
        self.sharded = shard[1] > 1
        self.of = shard[1] if self.sharded else count_of(folder)
        self.counts: dict[int, Count] = {}
        self.failed: dict[str, DoneClip] = {}
        self._lines: dict[str, bytes] = {}
        self._changed = retry_failed
        if self.sharded and not retry_failed:
            self._lines = read_failed(folder, shard)
            self.failed = {id: failed_clip(line) for id, line in self._lines.items()}

    def begin(self, held: int) -> None:
        """Say that the shard is at work, `held` clips of it being there.

        SbtoolsError for a Slurm task that was begun again and again and did nothing.
        """
        if not self.sharded:
            return
        held += len(self.failed)
        _remove_other_counts(self.folder, self.of)
        before = read_marker(self.folder, self.shard)
        again = slurm_task()["restart"] > 0 and before is not None and before.held == held
        starts = before.starts + 1 if again and before is not None and not before.done else 1
        marker = Marker(False, limit=self.limit, what=self.what, held=held, starts=starts)
        self._write(self.shard[0], marker if starts <= STARTS else replace(marker, starts=0))
        if starts > STARTS:
            raise SbtoolsError(
                f"{self.folder}: shard {self.shard[0]} of {self.of} was begun {STARTS} times and "
                "did not finish a clip: give it more --time (or --mem), or --clip-timeout less "
                "than that, and submit it again"
            )

    def note(self, id: str, failed: bool) -> None:
        """The run has been through one more clip."""
        if self.of:
            number = shard_of(id, ALL)
            self.counts.setdefault(number % self.of, Count()).add(number, failed)

    def keep_failed(self, record: Record, digest: str | None) -> None:
        """Keep a clip that failed, in memory until `commit`."""
        if self.of:
            with suppress(ClipError):
                self._lines[record["id"]] = index_line(record, digest, None)
                self._changed = True

    def forget_failed(self, id: str) -> None:
        """A clip that had failed is stored now."""
        self._changed |= self._lines.pop(id, None) is not None

    def commit(self) -> None:
        """Bring the list of failed clips to the disk."""
        if self.sharded and self._changed:
            self._write_failed(self.shard[0], self._lines)
            self._changed = False

    def finish(self) -> None:
        """Say that every clip of the input was gone through."""
        failpoint("before_marker")
        if self.sharded:
            self._write_done(self.shard[0])
        elif self.of and self.limit is None:
            self._finish_others()
        failpoint("after_marker")

    def _finish_others(self) -> None:
        """Mark all shards, where this run has had the same clips as those that were done."""
        markers = {index: read_marker(self.folder, (index, self.of)) for index in range(self.of)}
        done = {index: marker for index, marker in markers.items() if marker and marker.done}
        same = all(self._has_been_through(index, marker) for index, marker in done.items())
        if not same or not any(marker.clips for marker in done.values()):
            return
        for index in range(self.of):
            ours = {id: line for id, line in self._lines.items() if shard_of(id, self.of) == index}
            self._write_failed(index, ours)
            self._write_done(index)

    def _has_been_through(self, index: int, marker: Marker) -> bool:
        count = self.counts.get(index, Count())
        mine = (count.clips, f"{count.ids:040x}", None, self.what)
        return mine == (marker.clips, marker.ids, marker.limit, marker.what)

    def _write_done(self, index: int) -> None:
        count = self.counts.get(index, Count())
        told = Marker(True, count.clips, count.failed, f"{count.ids:040x}", self.limit, self.what)
        self._write(index, told)

    def _write(self, index: int, marker: Marker) -> None:
        run = {"host": socket.gethostname(), "time": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
        value = {"version": VERSION, **asdict(marker), "run": {**run, **slurm_task()}}
        name = marker_name((index, self.of))
        write_json(self.folder, name, value, shard_name(self.shard))

    def _write_failed(self, index: int, lines: Mapping[str, bytes]) -> None:
        name = failed_name((index, self.of))
        if lines or os.path.lexists(os.path.join(self.folder, name)):
            data = b"".join(lines.values())
            write_named(self.folder, name, data, shard_name(self.shard))


def remove_marks(folder: str, shard: Shard, what: Mapping[str, Any]) -> None:
    """Of a store that is begun anew: those of this shard, and of any other number of shards.

    A requeued Slurm task keeps what it noted before it was requeued.
    """
    others = {name for name, (_, n) in files_of(folder).items() if n != shard[1]}
    marker, task = read_marker(folder, shard), slurm_task()
    before = (marker and marker.run) or {}
    same = task["job"] and all(before.get(name) == task[name] for name in ("job", "task"))
    if not (same and task["restart"] and marker and marker.what == fingerprint(what)):
        others |= {marker_name(shard), failed_name(shard)}
    _remove(folder, others)


def _remove_other_counts(folder: str, count: int) -> None:
    _remove(folder, [name for name, (_, n) in files_of(folder).items() if n != count])


def _remove(folder: str, names: Iterable[str]) -> None:
    with writing(folder):
        for name in names:
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, name))
