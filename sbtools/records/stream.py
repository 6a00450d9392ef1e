"""Records in, records out."""

from __future__ import annotations

import io
import json
import select
from collections.abc import Iterator
from typing import BinaryIO

from sbtools.errors import ClipError, OutputError, RecordError
from sbtools.records.mend import mended_line
from sbtools.records.parse import LINE_LIMIT, Record, parse

_ENCODER = json.JSONEncoder(ensure_ascii=True, allow_nan=False)


def read(stream: BinaryIO, name: str, stage: str | None = None) -> Iterator[Record]:
    """The records of a stream, one a line; `name` stands for the stream in messages.

    Raises RecordError at the first line that is no record or repeats an id. With `stage`, a JSON
    object that has an id and bad fields leaves as a clip that failed in that stage.

    Ids are remembered by their 64-bit hash: one false alarm in 30,000,000 streams of a million
    clips.
    """
    seen: dict[int, int] = {}
    number = 0
    while line := stream.readline(LINE_LIMIT + 2):
        number += 1
        record = _record(line, f"{name}:{number}", stage)
        first = seen.setdefault(hash(record["id"]), number)
        if first != number:
            raise RecordError(
                f"{name}:{number}: id {record['id']!a} already stands on line {first}"
            )
        yield record


def _record(line: bytes, where: str, stage: str | None) -> Record:
    try:
        return parse(line, where)
    except RecordError:
        if stage is None:
            raise
        return mended_line(line, where, stage)


def dump(record: Record) -> bytes:
    """One line of ASCII JSON, its order of keys kept; RecordError for what JSON cannot say."""
    try:
        return _ENCODER.encode(record).encode("ascii") + b"\n"
    except (ValueError, RecursionError) as fault:
        raise RecordError(f"record {record.get('id')!a} cannot be written: {fault}") from None


class Writer:
    """Writes records, each at the reader's when `write` returns.

    Goes past the stream's own buffer, so nothing is left there to fail again at exit. `name` stands
    for the stream in messages.
    """

    def __init__(self, stream: BinaryIO, name: str = "records") -> None:
        self._stream, self._name = stream, name
        raw = stream if isinstance(stream, io.RawIOBase) else getattr(stream, "raw", None)
        self._raw: io.RawIOBase | None = raw

    def write(self, record: Record) -> None:
        """Write one line; BrokenPipeError passes, any other OSError becomes an OutputError."""
        line = dump(record)
        try:
            if self._raw is None:
                self._stream.write(line)
            self._stream.flush()
            if self._raw is not None:
                _write_through(self._raw, memoryview(line))
        except BrokenPipeError:
            raise
        except OSError as fault:
            raise OutputError(f"cannot write {self._name}: {fault.strerror or fault}") from fault


def _write_through(raw: io.RawIOBase, line: memoryview) -> None:
    while line:
        written = raw.write(line)
        if written is None:
            select.select([], [raw], [])
        line = line[written or 0 :]


def fail(record: Record, stage: str, error: ClipError) -> Record:
    """A copy of the record that says at which stage, and why, its clip failed."""
    return {**record, "error": {"stage": stage, "kind": error.kind, "message": str(error)}}


def counts_as_failure(record: Record) -> bool:
    """True when the clip failed; one that a stage was asked to drop did not."""
    return "error" in record and record["error"]["kind"] != "dropped"
