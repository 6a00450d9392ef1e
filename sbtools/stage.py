"""The loop of the stages that write a store: results in order, failures in their place."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sbtools import records, video, work
from sbtools.clip import ClipInfo, locate
from sbtools.errors import ClipError, LockedError, OutputError, SbtoolsError
from sbtools.job import Job
from sbtools.records import Record
from sbtools.store import DoneClip, StoreWriter
from sbtools.work import Chunks, Item, Work

log = logging.getLogger("sbtools")

Finish = Callable[[Record, Chunks], dict[str, Any]]
Run = Callable[[Iterable[Item], Work, Job], Iterator[tuple[Item, Chunks] | None]]
Digest = Callable[[Record, Job], str | None]


def digest_of(record: Record, job: Job) -> str:
    """The digest of the record's video; ClipError where there is none."""
    return video.digest(locate(record, str(job.root)))


def as_stored(record: Record, stored: Record) -> Record:
    """What is printed of a clip that is done: the record as it was printed then."""
    return stored


def into_store(
    stage: str,
    items: Iterable[Item],
    task: Work,
    finish: Finish,
    out: StoreWriter,
    job: Job,
    *,
    digest: Digest = digest_of,
    run: Run = work.run,
) -> Iterator[Record]:
    """Work on every item and store the result; yields records once their clips are committed.

    `finish` makes of a record and its chunks the arguments of `StoreWriter.add`; `digest` is as in
    `items_of`, `run` stands in place of `work.run`. Whatever ends the loop, a closed pipe or a bad
    line upstream, the clips that are done are committed first. A shard that came to the end of its
    input is marked as done.
    """
    results = _results(stage, run(items, task, job), finish, out, job, digest)
    yield from keeping(results, out, job)


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
    stage: str,
    worked: Iterable[tuple[Item, Chunks] | None],
    finish: Finish,
    out: StoreWriter,
    job: Job,
    digest: Digest,
) -> Iterator[Record]:
    for got in worked:
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
            yield from out.keep_failed(failed, digest_or_none(item.record, job, digest))


def items_of(
    incoming: Iterable[Record],
    out: StoreWriter,
    job: Job,
    same: Callable[[Record, Record], bool],
    *,
    again: Callable[[Record, Record], Record] = as_stored,
    digest: Digest = digest_of,
) -> Iterator[Item]:
    """What is to be done with each record: a failed one passes, a finished one is printed again.

    A clip is done again, with a warning, when its video has another `digest` now or when `same`
    says that the stored record was made of another one; else `again` makes of the record and the
    stored one what is printed. A clip that failed in this shard of many
    before is printed as it was, unless its record or its video has changed.
    """
    told = failed = 0
    for record in incoming:
        done, before = out.done.get(record["id"]), out.failed.get(record["id"])
        if "error" in record:
            yield Item(record, record)
        elif done is not None and not _changed(record, done, job, same, digest):
            told += 1
            yield Item(record, again(record, done.record))
        elif before is not None and not _changed(record, before, job, _same_but_failed, digest):
            failed += 1
            yield Item(record, before.record)
        else:
            yield Item(record)
    if told:
        log.info("%d clips were done already", told)
    if failed:
        log.info("%d clips had failed already; --retry-failed tries them again", failed)


def _same_but_failed(record: Record, failed: Record) -> bool:
    return {name: value for name, value in failed.items() if name != "error"} == record


def digest_or_none(record: Record, job: Job, digest: Digest = digest_of) -> str | None:
    """The digest of what a record leads to; None where there is nothing to read."""
    try:
        return digest(record, job)
    except ClipError:
        return None


def _changed(
    record: Record,
    done: DoneClip,
    job: Job,
    same: Callable[[Record, Record], bool],
    digest: Digest,
) -> bool:
    try:
        if digest(record, job) != done.digest:
            log.warning("%s: the video has changed, the clip is done again", record["id"])
            return True
    except ClipError:
        if done.digest is not None or "error" in done.record:
            return True
    if not same(record, done.record):
        log.warning("%s: the record has changed, the clip is done again", record["id"])
        return True
    return False


def attributes(info: ClipInfo) -> dict[str, Any]:
    """What a store says of a clip, beside its arrays."""
    return {
        "height": info.height,
        "width": info.width,
        "packets": info.packets,
        "decoded_frames": info.decoded,
        "digest": info.digest,
    }
