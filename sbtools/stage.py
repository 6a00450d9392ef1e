"""The loop of the stages that write a store: results in order, failures in their place."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sbtools import records, video, work
from sbtools.clip import Head, locate
from sbtools.errors import ClipError, LockedError, OutputError, SbtoolsError
from sbtools.job import Job
from sbtools.records import Record
from sbtools.store import DoneClip, StoreWriter
from sbtools.work import Chunks, Item, Work

log = logging.getLogger("sbtools")

Finish = Callable[[Record, Chunks], dict[str, Any]]


def into_store(
    stage: str, items: Iterable[Item], task: Work, finish: Finish, out: StoreWriter, job: Job
) -> Iterator[Record]:
    """Work on every item and store the result; yields records once their clips are committed.

    `finish` makes of a record and its chunks the arguments of `StoreWriter.add`. Whatever ends
    the loop, a closed pipe or a bad line upstream, the clips that are done are committed first.
    A shard that came to the end of its input is marked as done.
    """
    yield from keeping(_results(stage, items, task, finish, out, job), out, job)


def keeping(results: Iterator[Record], out: StoreWriter, job: Job) -> Iterator[Record]:
    """The records that `results` yields while it adds to the store, and those of the last commit.

    As `into_store` says of the loop's end.
    """
    with out:
        try:
            yield from results
        except (OutputError, LockedError):
            raise
        except GeneratorExit:
            out.close()
            raise
        except SbtoolsError:
            yield from out.close()
            raise
        yield from out.close(done=not job.stop() and not (job.strict and out.failures))


def _results(
    stage: str, items: Iterable[Item], task: Work, finish: Finish, out: StoreWriter, job: Job
) -> Iterator[Record]:
    for got in work.run(items, task, job):
        if got is None:
            yield from out.tick()
            continue
        item, chunks = got
        if item.again is not None:
            yield from out.pass_on(item.again)
            continue
        try:
            yield from out.add(**finish(item.record, chunks))
        except ClipError as error:
            failed = records.fail(item.record, stage, error)
            yield from out.keep_failed(failed, digest_of(item.record, job))


def items_of(
    incoming: Iterable[Record], out: StoreWriter, job: Job, same: Callable[[Record, Record], bool]
) -> Iterator[Item]:
    """What is to be done with each record: a failed one passes, a finished one is printed again.

    A clip is done again, with a warning, when its video has another digest now or when `same`
    says that the stored record was made of another one. A clip that failed in this shard of many
    before is printed as it was, unless its record or its video has changed.
    """
    again = failed = 0
    for record in incoming:
        done, before = out.done.get(record["id"]), out.failed.get(record["id"])
        if "error" in record:
            yield Item(record, record)
        elif done is not None and not _changed(record, done, job, same):
            again += 1
            yield Item(record, done.record)
        elif before is not None and not _changed(record, before, job, _same_but_failed):
            failed += 1
            yield Item(record, before.record)
        else:
            yield Item(record)
    if again:
        log.info("%d clips were done already", again)
    if failed:
        log.info("%d clips had failed already; --retry-failed tries them again", failed)


def _same_but_failed(record: Record, failed: Record) -> bool:
    return {name: value for name, value in failed.items() if name != "error"} == record


def digest_of(record: Record, job: Job) -> str | None:
    """The digest of the record's video; None where there is none to read."""
    try:
        return video.digest(locate(record, str(job.root)))
    except ClipError:
        return None


def _changed(
    record: Record, done: DoneClip, job: Job, same: Callable[[Record, Record], bool]
) -> bool:
    try:
        if video.digest(locate(record, str(job.root))) != done.digest:
            log.warning("%s: the video has changed, the clip is done again", record["id"])
            return True
    except ClipError:
        if done.digest is not None or "error" in done.record:
            return True
    if not same(record, done.record):
        log.warning("%s: the record has changed, the clip is done again", record["id"])
        return True
    return False


def attributes(head: Head) -> dict[str, Any]:
    """What a store says of a clip, beside its arrays."""
    return {
        "height": head.height,
        "width": head.width,
        "packets": head.packets,
        "decoded_frames": head.decoded,
        "digest": head.digest,
    }
