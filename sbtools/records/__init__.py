"""The stream: what a record is, reading it, checking it, writing it."""

from __future__ import annotations

from sbtools.records.columns import Columns
from sbtools.records.fields import TRACKS
from sbtools.records.lines import Lines
from sbtools.records.mend import sound
from sbtools.records.names import file_name_of, id_of, key_of, relative, resolve
from sbtools.records.parse import LINE_LIMIT, Record, parse
from sbtools.records.stream import Writer, counts_as_failure, dump, fail, read

__all__ = [
    "LINE_LIMIT",
    "TRACKS",
    "Columns",
    "Lines",
    "Record",
    "Writer",
    "counts_as_failure",
    "dump",
    "fail",
    "file_name_of",
    "id_of",
    "key_of",
    "parse",
    "read",
    "relative",
    "resolve",
    "sound",
]
