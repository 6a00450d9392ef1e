"""Records that a stage keeps in a file of its own, and continues after a kill."""

from __future__ import annotations

import errno
import fcntl
import io
import logging
import os
import re
from collections.abc import Iterable

from sbtools import records
from sbtools.errors import LockedError, OutputError, RecordError, UsageError
from sbtools.files import WholeFile, require_replaceable, writing
from sbtools.records import Record

log = logging.getLogger("sbtools")


class ResumableJsonl:
    """FILE.jsonl of one stage: what it holds is not made again, a torn last line is dropped.

    Nothing of it is changed before the first record is kept, with `overwrite` either. When the
    stage has ended, clips that failed stand behind the others; they are not `done`, and the next
    run drops them. A clip that was made again stands there once.

    UsageError when its records were made otherwise than `made`; LockedError when another process
    writes to it.
    """

    def __init__(self, path: str, stage: str, made: str, overwrite: bool = False) -> None:
        self.path, self.stage, self.made = path, stage, made
        folder = os.path.dirname(path)
        try:
            if folder:
                os.makedirs(folder, exist_ok=True)
            require_replaceable(path)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            self.file = os.fdopen(os.open(path, flags, 0o666), "r+b")
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from None
        self._end, self._torn, self._begun, self._again = 0, False, False, False
        self._failed: dict[str, Record] = {}
        try:
            self._lock()
            self.done = {} if overwrite else self._read()
        except BaseException:
            self.file.close()
            raise
        self.writer = records.Writer(self.file, path)

    def __enter__(self) -> ResumableJsonl:
        return self

    def __exit__(self, kind: object, *details: object) -> None:
        try:
            if kind is None:
                self._end_well()
            self.file.flush()
            os.fsync(self.file.fileno())
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror}") from None
        finally:
            self.file.close()

    def keep(self, record: Record) -> None:
        """Append a record, a failed one at the end; none that failed before but is done here."""
        id, error = record["id"], record.get("error")
        if error and error["stage"] != self.stage and id in self.done:
            return
        self._again |= id in self.done
        if error:
            self._failed[id] = record
        else:
            self._write([record])

    def _end_well(self) -> None:
        if self._again:
            found = {**self._read(), **self._failed}
            with WholeFile(self.path) as file:
                file.writelines(map(records.dump, sorted(found.values(), key=_has_failed)))
        elif self._failed or self._torn:
            self._write(self._failed.values())

    def _write(self, found: Iterable[Record]) -> None:
        if not self._begun:
            with writing(self.path):
                self.file.seek(self._end)
                self.file.truncate()
            self._begun = True
        for record in found:
            self.writer.write(record)

    def _lock(self) -> None:
        locked = LockedError(f"{self.path}: another process is writing to it")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                log.warning("%s cannot be locked (%s)", self.path, error.strerror)
                return
            raise locked from None
        if not os.fstat(self.file.fileno()).st_nlink:
            raise locked  # it has put another file there

    def _read(self) -> dict[str, Record]:
        """What is done, by id; `_end` is where other records are to follow."""
        whole = self._whole_length()
        reader = io.BufferedReader(io.FileIO(self.file.fileno(), "rb", closefd=False))
        self.file.seek(0)
        found: dict[str, Record] = {}
        self._end = whole
        try:
            for number, line in enumerate(iter(reader.readline, b""), 1):
                if reader.tell() > whole:
                    break
                record = records.parse(line, f"{self.path}:{number}")
                if "error" in record:
                    self._end = min(self._end, reader.tell() - len(line))
                elif self._end < whole:
                    raise RecordError(f"{self.path}:{number}: it follows a clip that failed")
                else:
                    self._again |= record["id"] in found
                    found[record["id"]] = self._ours(record)
        except RecordError as error:
            raise UsageError(
                f"{error}: {self.path} is not ours; --overwrite, or another -o"
            ) from None
        return found

    def _ours(self, record: Record) -> Record:
        before = record.get("made", {}).get(self.stage)
        if before != self.made:
            raise UsageError(
                f"{self.path} was made with [{before}], not [{self.made}]: "
                "--overwrite, or another -o"
            )
        return record

    def _whole_length(self) -> int:
        """Bytes up to the last line end: what a killed writer left behind it is torn."""
        end = size = self.file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - (1 << 16))
            self.file.seek(start)
            found = self.file.read(end - start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        self._torn = end < size
        if self._torn:
            self.file.seek(end)
            if self.file.read(1) != b"{":
                raise UsageError(f"{self.path} is not ours: --overwrite, or another -o")
            log.warning("%s: the last line was torn, its clip is done again", self.path)
        return end


def _has_failed(record: Record) -> bool:
    return "error" in record


def kept_ids(path: str | None) -> set[str]:
    """The ids of a file of records, but for failed clips and a torn last line; none of no file."""
    try:
        with open(path or "", "rb") as stream:
            whole = [line for line in stream if line.endswith(b"\n")]
    except OSError:
        return set()
    found = (records.parse(line, f"{path}:{number}") for number, line in enumerate(whole, 1))
    return {record["id"] for record in found if "error" not in record}


def shard_path(path: str, shard: tuple[int, int]) -> str:
    """`clips.jsonl` as the file of one shard: `clips-003of064.jsonl`."""
    index, count = shard
    if count == 1:
        return path
    stem, suffix = os.path.splitext(path)
    return f"{stem}-{index:03}of{count:03}{suffix}"


def shards_beside(path: str) -> int:
    """Into how many shards `clips.jsonl` was divided last: `clips-003of064.jsonl`; 0 for none."""
    folder, name = os.path.split(path)
    stem, suffix = map(re.escape, os.path.splitext(name))
    pattern = re.compile(rf"{stem}-\d{{3,6}}of(\d{{3,6}}){suffix}")
    try:
        found = [pattern.fullmatch(other) for other in os.listdir(folder or ".")]
    except OSError:
        return 0
    return max((int(match[1]) for match in found if match), default=0)
