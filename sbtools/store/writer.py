"""Writing a store, part by part."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from numpy.typing import NDArray

from sbtools.errors import RecordError
from sbtools.records import Record, counts_as_failure, key_of, relative
from sbtools.store.done import DoneClip, committed
from sbtools.store.layout import KINDS, VERSION, part_name, parts_of
from sbtools.store.lock import Lock
from sbtools.store.made import agree_on_made, begin_anew, sweep
from sbtools.store.marking import Marking, remove_marks
from sbtools.store.output import writing
from sbtools.store.owner import slurm_task
from sbtools.store.part import Part


class StoreWriter:
    """Adds clips to the store `folder`, which it makes or continues; use it in a `with`.

    kind: masks, pixels or features; ScoresWriter is for scores. what: all that the contents depend
    on, JSON-ready; its key "version" may differ from that of an older run. run: how it was made,
    for the reader's eye, as it stands when a part is committed. shard: (index, count). compress:
    gzip level of rgb frames. root: where relative addresses begin. overwrite: start anew.
    take_over: write although another process's lock stands there. limit: of the command, for the
    shard's marker. retry_failed: forget the clips that failed. field: of the kind's fields, the
    one that is to hold the addresses.

    `done` has the clips that are committed, `failed` those that failed, of a shard of many alone.

    Raises UsageError when the store was made otherwise, LockedError when another process writes
    the shard, OutputError when the disk is full, DamagedError when an older part is damaged,
    SbtoolsError when a Slurm task does nothing, however often it is begun.
    """

    def __init__(
        self,
        folder: str,
        kind: str,
        what: Mapping[str, Any],
        run: Mapping[str, Any],
        shard: tuple[int, int] = (0, 1),
        part_clips: int = 64,
        part_bytes: int = 256 << 20,
        part_seconds: float = 10.0,
        compress: int | None = None,
        overwrite: bool = False,
        take_over: bool = False,
        root: str | None = None,
        limit: int | None = None,
        retry_failed: bool = False,
        field: str | None = None,
    ) -> None:
        self.folder = os.path.abspath(folder)
        self.kind = KINDS[kind]
        self._field = field or self.kind.field
        self._what = dict(json.loads(json.dumps(what, allow_nan=False)))
        self._run = run
        self._shard = shard
        self._limits = (part_clips, part_bytes, part_seconds)
        self._compress = compress
        self._base = relative(folder, root)
        self._part: Part | None = None
        self._waiting: list[Record] = []
        self._began = 0.0
        self.failures = 0
        with writing(folder):
            os.makedirs(self.folder, exist_ok=True)
        self._lock = Lock(self.folder, shard, take_over)
        try:
            with writing(folder):
                self.done = self._prepare(overwrite)
                self._marking = Marking(self.folder, shard, self._what, limit, retry_failed)
                self._marking.begin(len(self.done))
        except BaseException:
            self._lock.release()
            raise
        self.failed = self._marking.failed
        self._places = {id: clip.part for id, clip in self.done.items()}

    def _prepare(self, overwrite: bool) -> dict[str, DoneClip]:
        sweep(self.folder, self._shard)
        made = {"format": self.kind.format, "version": VERSION, "what": self._what}
        if overwrite:
            begin_anew(self.folder, made, self._shard)
            remove_marks(self.folder, self._shard, self._what)
        agree_on_made(self.folder, made, self._shard)
        parts = parts_of(self.folder)
        own = [number for shard, number in parts.values() if shard == self._shard]
        self._number = max(own, default=-1) + 1
        index, count = self._shard
        names = [name for name, ((i, n), _) in parts.items() if n != count or i == index]
        return committed(self.folder, names, self.kind, self._what, self._base, self._field)

    def address(self, id: str) -> str:
        """The address that a clip will have if it is added next."""
        name = part_name(self._shard, self._number)
        return f"{os.path.join(self._base, name)}::clips/{key_of(id)}"

    def add(
        self,
        record: Record,
        attrs: Mapping[str, Any],
        arrays: Mapping[str, Any],
        boxes: Sequence[Mapping[str, Any]] | None = None,
        chunks: Iterable[Mapping[str, NDArray[Any]]] = (),
    ) -> list[Record]:
        """Store one clip; the records that are now committed, in their order, are returned.

        attrs: height, width, digest, packets, decoded_frames. arrays: frame int [T], time [T],
        person and object bool [T, H, W] or packed uint8 [T, H, ceil(W/8)], rgb uint8 [T, H, W, 3],
        features [D]; or, for each, an iterator of pieces [t, ...]. chunks: the same as an iterator
        of dicts of pieces. record, attrs and boxes are read when all pieces are written, so that
        what makes the pieces may complete them. The record's address is set here.

        A ClipError of an iterator, or for arrays that do not agree, leaves the store as if the clip
        had not been added.
        """
        if self._part is None:
            self._start_part()
        assert self._part is not None
        id = record["id"]
        if self._part.holds(id):
            raise RecordError(f"clip {id!a} was already stored by this run")
        whole, pieces = _split(arrays, chunks)
        record[self._field] = self.address(id)
        name = os.path.basename(self._part.path)
        try:
            self._part.add(record, attrs, pieces, whole, boxes, self._places.get(id))
        except BaseException:
            record.pop(self._field, None)
            raise
        self._places[id] = name
        self._marking.forget_failed(id)
        return self._advance(record)

    def pass_on(self, record: Record) -> list[Record]:
        """Let a failed or finished record keep its place in the order."""
        return self._advance(record)

    def keep_failed(self, record: Record, digest: str | None) -> list[Record]:
        """Pass on a record whose clip failed here; a shard of many does not try it again."""
        self._marking.keep_failed(record, digest)
        return self._advance(record)

    def note(self, id: str, failed: bool) -> None:
        """Count a clip for the marker; of those that were done before, where none is printed."""
        self.failures += failed
        self._marking.note(id, failed)

    def tick(self) -> list[Record]:
        """Commit when the open part is old enough; call it now and then while nothing arrives."""
        return self._advance(None)

    def close(self, done: bool = False) -> list[Record]:
        """Commit what is left and give the lock back; `done` when it was all of the input."""
        try:
            ready = self._commit()
            if done:
                self._lock.require()
                self._marking.finish()
            return ready
        finally:
            self._abandon()

    def _start_part(self) -> None:
        self._part = self._new_part(part_name(self._shard, self._number))
        self._began = time.monotonic()

    def _new_part(self, name: str) -> Part:
        return Part(self.folder, name, self.kind, self._compress)

    def _advance(self, record: Record | None) -> list[Record]:
        if record is not None:
            self._waiting.append(record)
            self.note(record["id"], counts_as_failure(record))
        clips, size, seconds = self._limits
        part = self._part
        if part is not None and len(part):
            late = time.monotonic() - self._began >= seconds
            if len(part) < clips and part.size < size and not part.full and not late:
                return []
        return self._commit()

    def _commit(self) -> list[Record]:
        part, self._part = self._part, None
        if part is not None and len(part):
            part.commit({"what": self._what, "run": self._run_now()}, self._lock.require)
            self._number += 1
        elif part is not None:
            part.abandon()
        self._marking.commit()
        ready, self._waiting = self._waiting, []
        return ready

    def _run_now(self) -> dict[str, Any]:
        index, count = self._shard
        return {
            **self._run,
            "host": socket.gethostname(),
            "shard": f"{index}/{count}",
            "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            **slurm_task(),
        }

    def _abandon(self) -> None:
        if self._part is not None:
            self._part.abandon()
            self._part = None
        self._lock.release()

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._abandon()


def _split(
    arrays: Mapping[str, Any], chunks: Iterable[Mapping[str, NDArray[Any]]]
) -> tuple[dict[str, Any], Iterable[Mapping[str, NDArray[Any]]]]:
    """Whole arrays, and everything that comes in pieces."""
    lazy = {name: values for name, values in arrays.items() if isinstance(values, Iterator)}
    whole = {name: values for name, values in arrays.items() if name not in lazy}
    if not lazy:
        return whole, chunks
    together = zip(*lazy.values(), strict=True)
    return whole, (dict(zip(lazy, pieces, strict=True)) for pieces in together)
