"""Which clips a store holds, and which failed in it."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import replace

from sbtools.errors import DamagedError
from sbtools.records import Record
from sbtools.store.done import DoneClip, IndexLine, index_lines, index_of, newest
from sbtools.store.layout import Shard, parts_of
from sbtools.store.open_part import OpenPart
from sbtools.store.output import read_regular
from sbtools.store.shards import failed_name, files_of

log = logging.getLogger("sbtools")

LIMIT = 1 << 30
"""Bytes of a list of failed clips."""


def read_failed(folder: str, shard: Shard) -> dict[str, bytes]:
    """id -> line of the clips that failed in a shard; a damaged list counts as none."""
    path = os.path.join(folder, failed_name(shard))
    try:
        lines = index_lines(read_regular(path, LIMIT), path)
        return {line.id: line.line + b"\n" for line in lines}
    except FileNotFoundError:
        return {}
    except (OSError, DamagedError) as fault:
        log.warning("%s: its clips are tried again", fault)
        return {}


def held_ids(folder: str) -> tuple[set[str], dict[str, Record]]:
    """Ids of the clips that a store holds, and the records of those that failed, by id.

    A clip that failed once and was stored later is among the former. DamagedError for a part that
    is none.
    """
    failed: dict[str, Record] = {}
    for shard in set(files_of(folder).values()):
        for id, line in read_failed(folder, shard).items():
            failed[id] = failed_clip(line).record
    there = set()
    for id, (_, entry) in newest(_entries(folder)).items():
        if entry.line:
            failed[id] = failed_clip(entry.line).record
        else:
            there.add(id)
    return there, {id: record for id, record in failed.items() if id not in there}


def failed_clip(line: bytes) -> DoneClip:
    """A clip that failed, which has no part and no address."""
    return DoneClip(line, "", "", "")


def _entries(folder: str) -> Iterator[tuple[str, IndexLine]]:
    """The clips of all parts, their text where they failed alone."""
    for name in parts_of(folder):
        with OpenPart(os.path.join(folder, name)) as part:
            for entry in index_of(part):
                failed = part.kind.rows and "error" in json.loads(entry.line)["record"]
                yield name, entry if failed else replace(entry, line=b"")
