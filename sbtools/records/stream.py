"""Records in, records out."""

from __future__ import annotations

import io
import json
import select
from array import array
from collections.abc import Iterator
from typing import BinaryIO

from sbtools.errors import ClipError, OutputError, RecordError
from sbtools.records.mend import mended_line
from sbtools.records.parse import LINE_LIMIT, Record, parse

_64_BITS = (1 << 64) - 1
_ENCODER = json.JSONEncoder(ensure_ascii=True, allow_nan=False)


def read(stream: BinaryIO, name: str, stage: str | None = None) -> Iterator[Record]:
    """The records of a stream, one a line; `name` stands for the stream in messages.

    Raises RecordError at the first line that is no record or repeats an id. With `stage`, a JSON
    object that has an id and bad fields leaves as a clip that failed in that stage.

    Ids are remembered by their 64-bit hash: one false alarm in 30,000,000 streams of a million
    clips.
    """
    seen = _Seen()
    number = 0
    while line := stream.readline(LINE_LIMIT + 2):
        number += 1
        record = _record(line, f"{name}:{number}", stage)
        first = seen.add(hash(record["id"]), number)
        if first:
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


class _Seen:
    """Numbers below 2**64 and the line where each came first: 25 to 50 bytes a number."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 << 10))
        self._lines = array("I", bytes(4 << 10))
        self._used = 0

    def add(self, number: int, line: int) -> int:
        """The line where the number came before; 0 when it is new."""
        if 2 * self._used >= len(self._slots):
            self._grow()
        slots, last = self._slots, len(self._slots) - 1
        number = number & _64_BITS or 1
        place = number & last
        while slots[place]:
            if slots[place] == number:
                return self._lines[place]
            place = place + 1 & last
        slots[place] = number
        self._lines[place] = line
        self._used += 1
        return 0

    def _grow(self) -> None:
        slots, lines = self._slots, self._lines
        self._slots = array("Q", bytes(16 * len(slots)))
        self._lines = array("I", bytes(8 * len(slots)))
        self._used = 0
        for number, line in zip(slots, lines, strict=True):
            if number:
                self.add(number, line)


def dump(record: Record) -> bytes:
    """One line of ASCII JSON, its order of keys kept; RecordError for what JSON cannot say."""
    try:
        return _ENCODER.encode(record).encode("ascii") + b"\n"
    except (ValueError, RecursionError) as fault:
        raise RecordError(f"record {record.get('id')!a} cannot be written: {fault}") from None


class Writer:
    """Writes records, each at the reader's when `write` returns.

    Goes past the stream's own buffer, so nothing is left there to fail again at exit.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
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
            raise OutputError(f"cannot write records: {fault.strerror or fault}") from fault


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
