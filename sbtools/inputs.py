"""INPUT...: records from streams, and records made of the videos and folders that are named."""

from __future__ import annotations

import io
import logging
import os
import select
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from sbtools import records
from sbtools.errors import OutputError, RecordError, UsageError
from sbtools.index import folder
from sbtools.index import paths as path_lists
from sbtools.index.labels import Labels
from sbtools.job import never
from sbtools.records import Record
from sbtools.rng import shard_of

log = logging.getLogger("sbtools")

COUNTED = 128 << 20
"""Bytes of a file of records whose lines are counted before they are read."""


class Stopped(Exception):
    """Raised inside a read that waits, when the run is to stop."""


class PatientReader(io.RawIOBase):
    """A descriptor whose reads wait in short steps, so that a stop is noticed between them."""

    def __init__(self, descriptor: int, stop: Callable[[], bool] = never) -> None:
        self.descriptor, self.stop = descriptor, stop

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        while True:
            if self.stop():
                raise Stopped
            if select.select([self.descriptor], [], [], 0.2)[0]:
                break
        data = os.read(self.descriptor, len(buffer))
        buffer[: len(data)] = data
        return len(data)


class Inputs:
    """The records of INPUT..., in order, of this shard and up to the limit.

    Every path is looked at when the object is made: UsageError for one that is not there, for a
    terminal or /dev/null in stdin's place. `total` is the number of records where it is known
    without parsing a stream. stills: each image in a folder is a clip. lists: more lists of files,
    whatever their names; "-" reads one from stdin, of which records then cannot come. labels: the
    classes of lists. stage: where a record with bad fields is said to have failed; without it such
    a record is a RecordError.
    """

    def __init__(
        self,
        paths: Sequence[str],
        root: Path,
        *,
        label_from: str = "folder",
        stills: bool = False,
        lists: Sequence[str] = (),
        labels: Labels | None = None,
        shard: tuple[int, int] = (0, 1),
        limit: int | None = None,
        stop: Callable[[], bool] = never,
        stage: str | None = None,
    ) -> None:
        self.paths = list(paths) or ([] if lists else ["-"])
        self.lists, self.labels = lists, labels
        self.root, self.label_from, self.stills = root, label_from, stills
        self.shard, self.limit, self.stop = shard, limit, stop
        self.empty, self.stage = True, stage
        for path in [*self.paths, *lists]:
            _look_at(path)
        if [*self.paths, *lists].count("-") > 1 and "-" in lists:
            raise UsageError("- is given twice, and stdin is read once: records or names of files")
        self.streams = [path for path in self.paths if is_stream(path)]
        self._listed: list[Record] | None = None
        self._copies: dict[str, BinaryIO] = {}

    @property
    def listed(self) -> list[Record]:
        """The records of the videos and folders among the INPUTs."""
        if self._listed is None:
            places = [path for path in self.paths if not is_stream(path)]
            found = folder.find(places, self.stills, str(self.root))
            more = chain.from_iterable(map(self._names, self.lists))
            self._listed = folder.to_records(
                chain(found, more), self.root, self.label_from, self.labels
            )
        return self._listed

    def _names(self, path: str) -> Iterator[folder.Found]:
        """The clips of one of `lists`; none where the run is stopped before stdin has ended."""
        if path != "-":
            yield from folder.listed(path_lists.read(path, str(self.root)), path)
            return
        try:
            with ExitStack() as stack:
                data = self._opened(path, stack).read(path_lists.MOST + 1)
        except Stopped:
            return
        yield from folder.listed(path_lists.parse(data, "stdin", ("", str(self.root))), "stdin")

    @property
    def total(self) -> int | None:
        """How many records there will be; None where a pipe, or a shard of a stream, will tell."""
        if self.streams and self.shard[1] > 1:
            return None
        counts = [line_count(path) for path in self.streams]
        if None in counts:
            return None
        count = sum(map(self._ours, self.listed)) + sum(filter(None, counts))
        return count if self.limit is None else min(count, self.limit)

    def __iter__(self) -> Iterator[Record]:
        return islice(filter(self._ours, self._all()), self.limit)

    def whole(self) -> Iterator[Record]:
        """All records, of every shard and beyond the limit; only before those of this shard.

        Files are read twice. A pipe is read to its end first, into an unnamed file; OutputError
        where that has no room.
        """
        try:
            for path in self.streams:
                if path not in self._copies and not os.path.isfile(path):
                    with ExitStack() as stack:
                        self._copies[path] = _copied(self._opened(path, stack))
        except Stopped:
            return
        yield from self._all()

    def _ours(self, record: Record) -> bool:
        index, count = self.shard
        return count == 1 or shard_of(record["id"], count) == index

    def _all(self) -> Iterator[Record]:
        sources = [iter(self.listed), *map(self._stream, self.streams)]
        try:
            for record in (
                _distinct(sources) if len(sources) > 2 or self.listed else chain(*sources)
            ):
                if self.stop():
                    return
                self.empty = False
                yield record
        except Stopped:
            return

    def _stream(self, path: str) -> Iterator[Record]:
        with ExitStack() as stack:
            stream = self._copies.get(path) or self._opened(path, stack)
            if path in self._copies:
                stream.seek(0)
            yield from records.read(stream, "stdin" if path == "-" else path, self.stage)

    def _opened(self, path: str, stack: ExitStack) -> BinaryIO:
        if path == "-":
            return io.BufferedReader(PatientReader(0, self.stop), 1 << 16)  # type: ignore[type-var]
        return stack.enter_context(open(path, "rb"))


def _copied(stream: BinaryIO) -> BinaryIO:
    copy = tempfile.TemporaryFile()
    try:
        shutil.copyfileobj(stream, copy, 1 << 16)
    except OSError as error:
        copy.close()
        raise OutputError(
            f"no room for the records of a pipe in {tempfile.gettempdir()}: {error.strerror} (set "
            "TMPDIR)"
        ) from None
    return copy


def _distinct(sources: Iterable[Iterator[Record]]) -> Iterator[Record]:
    """The records of several inputs; RecordError for an id that two of them hold."""
    seen: set[int] = set()
    for record in chain.from_iterable(sources):
        if hash(record["id"]) in seen:
            raise RecordError(
                f"id {record['id']!a} is in two of the INPUTs: rename one, or leave it out"
            )
        seen.add(hash(record["id"]))
        yield record


def line_count(path: str) -> int | None:
    """Lines that are left in a .jsonl file, or stdin; None for a pipe, and for what is large."""
    try:
        found = os.fstat(0) if path == "-" else os.stat(path)
        if not stat.S_ISREG(found.st_mode) or found.st_size > COUNTED:
            return None
        if path == "-":
            return _lines_from(0, os.lseek(0, 0, os.SEEK_CUR))
        with open(path, "rb") as stream:
            return _lines_from(stream.fileno(), 0)
    except OSError:
        return None


def _lines_from(descriptor: int, place: int) -> int:
    count, last = 0, b"\n"
    while data := os.pread(descriptor, 1 << 20, place):
        count, last, place = count + data.count(b"\n"), data[-1:], place + len(data)
    return count + (last != b"\n")


def is_stream(path: str) -> bool:
    """Whether an INPUT is a record stream rather than a video or a folder."""
    return path == "-" or (path.endswith(".jsonl") and not os.path.isdir(path))


def _look_at(path: str) -> None:
    if path == "-":
        _look_at_stdin()
    elif "\0" in path:
        raise UsageError(f"{path!r}: a path cannot hold a NUL byte")
    elif not os.path.lexists(path):
        raise UsageError(f"{path}: there is no such file or folder ({os.path.abspath(path)})")


def _look_at_stdin() -> None:
    mode = os.fstat(0).st_mode
    terminal = os.isatty(0)
    if terminal or (stat.S_ISCHR(mode) and os.path.samestat(os.fstat(0), os.stat(os.devnull))):
        what = "a terminal" if terminal else "/dev/null"
        command = os.path.basename(sys.argv[0]) or "sbtools"
        raise UsageError(
            f"stdin is {what}: name videos, folders or .jsonl files, or pipe records into {command}"
        )
