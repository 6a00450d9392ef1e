"""Records that a stage keeps in a file of its own, and continues after a kill."""

from __future__ import annotations

import errno
import fcntl
import io
import logging
import os
import re
from collections.abc import Iterator

from sbtools import records
from sbtools.errors import LockedError, OutputError, RecordError, UsageError
from sbtools.files import require_replaceable
from sbtools.records import Record

log = logging.getLogger("sbtools")


class KeptFile:
    """FILE.jsonl of one stage: what it holds is not made again, a torn last line is dropped.

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
        try:
            self._lock()
            if overwrite:
                self.file.truncate(0)
            self.done = {record["id"]: record for record in self._read()}
        except BaseException:
            self.file.close()
            raise
        self.writer = records.Writer(self.file)

    def __enter__(self) -> KeptFile:
        return self

    def __exit__(self, *details: object) -> None:
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror}") from None
        finally:
            self.file.close()

    def keep(self, record: Record) -> None:
        """Append a record. A failed one is not kept: running again tries it again."""
        if "error" not in record:
            self.writer.write(record)

    def _lock(self) -> None:
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                log.warning("%s cannot be locked (%s)", self.path, error.strerror)
                return
            raise LockedError(f"{self.path}: another process is writing to it") from None

    def _read(self) -> Iterator[Record]:
        whole = self._whole_length()
        reader = io.BufferedReader(io.FileIO(self.file.fileno(), "rb", closefd=False))
        self.file.seek(0)
        found = {}
        try:
            for number, line in enumerate(iter(reader.readline, b""), 1):
                if reader.tell() > whole:
                    break
                record = records.parse(line, f"{self.path}:{number}")
                found[record["id"]] = self._ours(record)
        except RecordError as error:
            raise UsageError(
                f"{error}: {self.path} is not ours; --overwrite, or another -o"
            ) from None
        self.file.seek(whole)
        self.file.truncate()
        yield from found.values()

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
        if end < size:
            self.file.seek(end)
            if self.file.read(1) != b"{":
                raise UsageError(f"{self.path} is not ours: --overwrite, or another -o")
            log.warning("%s: the last line was torn, its clip is done again", self.path)
        return end


def kept_ids(path: str | None) -> set[str]:
    """The ids of a file of records, but for a torn last line; none where there is no file."""
    try:
        with open(path or "", "rb") as stream:
            whole = [line for line in stream if line.endswith(b"\n")]
    except OSError:
        return set()
    return {records.parse(line, f"{path}:{number}")["id"] for number, line in enumerate(whole, 1)}


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
