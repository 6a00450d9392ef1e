"""The loop that stages share: clips to workers, results in order, failures in their place."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sbtools import pool, records
from sbtools.clip import Head
from sbtools.errors import ClipError
from sbtools.job import Job
from sbtools.records import Record
from sbtools.store import StoreWriter

log = logging.getLogger("sbtools")

Chunk = dict[str, Any]
Chunks = Iterator[Chunk]
Arrays = dict[str, Any]
Finish = Callable[[Record, Chunks], tuple[Record, dict[str, Any], Arrays]]


def into_store(
    stage: str,
    items: Iterable[Item],
    work: Work,
    finish: Finish,
    out: StoreWriter,
    job: Job,
) -> Iterator[Record]:
    """Work on every item and put the result in the store; yields records once they are committed.

    `finish` turns a record and its chunks into what `StoreWriter.add` takes.
    """
    with out:
        for got in run(items, work, job):
            if got is None:
                yield from out.tick()
                continue
            item, chunks = got
            if item.again is not None:
                yield from out.pass_on(item.again)
                continue
            try:
                yield from out.add(*finish(item.record, chunks))
            except ClipError as error:
                yield from out.pass_on(records.fail(item.record, stage, error))
        yield from out.close()
