"""Running a stage between its input and stdout: the same for every command."""

from __future__ import annotations

import logging
import os
import shlex
import socket
import sys
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import click

from sbtools import records
from sbtools.cli import messages
from sbtools.cli.options import Common
from sbtools.cli.outputs import Outlet
from sbtools.cli.process import INTERRUPTED, ReaderGone, StopFlag
from sbtools.cli.progress import Progress
from sbtools.errors import DamagedError, SbtoolsError, UsageError
from sbtools.inputs import Inputs
from sbtools.job import Job, uncounted
from sbtools.records import Record

log = logging.getLogger("sbtools")

Stage = Callable[[Iterator[Record], Job], Iterator[Record]]
Done = Callable[[], Collection[str]]
Begin = Callable[[Inputs], None]

LONG = ("detect", "segment", "mask", "scenes", "bank", "features")
"""Commands that may take hours: they say how many clips there are before the first."""


def filter_records(
    common: Common,
    stage: Stage,
    *,
    made: str | None = "",
    kept: str | None = None,
    hint: bool = True,
    done: Done = frozenset,
    begin: Begin | None = None,
    times: int = 1,
) -> int:
    """Read INPUT..., run `stage` over the records, print what it yields; the exit status.

    `made`, `kept` and `hint` are those of `sbtools.cli.outputs.Outlet`. `done` has the ids that a
    --dry-run need not count, `begin` is given the input before `stage` is; each record gives so
    many `times` one.
    """
    messages.begin_command(common.verbose, common.quiet)
    out = Outlet(common.records, common.shard, kept=kept, made=made, hint=hint)
    name = click.get_current_context().info_name
    with _flag(name).installed() as stop:
        inputs = open_inputs(common, stop)
        if begin is not None:
            begin(inputs)
        total = inputs.total
        progress = Progress(None if total is None else times * total, common.quiet, common.workers)
        progress.listing = not inputs.streams
        incoming = progress.each(inputs) if name in LONG else iter(inputs)
        results = stage(incoming, make_job(common, stop, progress))
        if common.dry_run:
            return _tell(inputs, done())
        with _left_alone(stop):
            _hand_on(results, out, progress, common, lambda: not (stop() or inputs.empty))
        if inputs.empty and not stop():
            log.warning("there were no records in the input%s", out.left())
        return _status(common, progress, stop, out)


def produce_records(
    common: Common,
    make: Callable[[Job], Iterator[Record]],
    total: int | None,
    dry: str | Callable[[Job], str],
    made: str = "",
    hint: bool = True,
) -> int:
    """Run a stage that reads nothing, print what it yields; the exit status.

    `total` is how many records are expected, `dry` what --dry-run says instead; `made` and `hint`
    are as for `filter_records`.
    """
    out = Outlet(common.records, common.shard, made=made, hint=hint)
    with StopFlag().installed() as stop:
        if common.dry_run:
            job = make_job(common, stop)
            log.info("%s", dry if isinstance(dry, str) else dry(job))
            return 0
        progress = Progress(total, common.quiet, common.workers)
        results = make(make_job(common, stop, progress))
        with _left_alone(stop):
            _hand_on(results, out, progress, common, lambda: not stop())
        return _status(common, progress, stop, out)


def open_inputs(common: Common, stop: Callable[[], bool]) -> Inputs:
    """INPUT... as the shared flags ask for it."""
    from sbtools.index import labels

    return Inputs(
        common.inputs,
        common.root,
        label_from=common.label_from,
        stills=common.stills,
        lists=common.lists,
        labels=labels.read(common.labels) if common.labels else None,
        shard=common.shard,
        limit=common.limit,
        stop=stop,
        stage=click.get_current_context().info_name,
    )


def make_job(common: Common, stop: Callable[[], bool], progress: Progress | None = None) -> Job:
    """The shared flags as a stage knows them, and who is told how far it is."""
    job = Job(
        root=common.root,
        workers=common.workers,
        clip_timeout=common.clip_timeout,
        stop=stop,
        seed=common.seed,
        shard=common.shard,
        limit=common.limit,
        strict=common.strict,
    )
    if progress is None:
        return job
    coming = progress.coming if progress.total is None else uncounted
    return replace(job, worked=progress.step, passed=progress.skip, coming=coming)


def provenance(job: Job) -> dict[str, Any]:
    """Where and how a store was written: what `made.run` holds."""
    return {
        "command": shlex.join([os.path.basename(sys.argv[0]), *sys.argv[1:]]),
        "host": socket.gethostname(),
        "workers": job.workers,
        "shard": list(job.shard),
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def _flag(name: str | None) -> StopFlag:
    return StopFlag("finishing this batch") if name == "features" else StopFlag()


@contextmanager
def _left_alone(stop: StopFlag) -> Iterator[None]:
    """Ctrl-C ends the readers of a pipe too: one that went away then is not what ended this."""
    try:
        yield
    except ReaderGone:
        if stop.code != INTERRUPTED:
            raise


def closable(stage: Iterator[Record]) -> Generator[Record, None, None]:
    """The stage as a generator: closing it closes the stage, whose store is left whole."""
    yield from stage


def _hand_on(
    results: Iterator[Record],
    out: Outlet,
    progress: Progress,
    common: Common,
    whole: Callable[[], bool],
) -> None:
    """Give the results to `out`, and its file its name if they are the whole then."""
    progress.quiet |= out.shown
    out.begin()
    with out, closing(closable(results)) as printed:
        _pump(printed, progress, common, out)
        if whole():
            out.commit()


def _pump(done: Iterable[Record], progress: Progress, common: Common, out: Outlet) -> None:
    try:
        for made in done:
            record = records.sound(made, click.get_current_context().info_name or "sbtools")
            out.write(record)
            failed = records.counts_as_failure(record)
            progress.printed(failed)
            if failed:
                _name(record, progress, common)
    except BrokenPipeError:
        raise ReaderGone from None
    finally:
        progress.end()


def _name(record: Record, progress: Progress, common: Common) -> None:
    error = record["error"]
    text = f"{record['id']}: {error['message']} ({error['stage']}: {error['kind']})"
    if common.strict:
        raise SbtoolsError(text)
    progress.damaged |= error["kind"] == "damaged"
    ours = ["index"] if progress.listing else []
    if error["stage"] in [click.get_current_context().info_name, *ours]:
        log.warning("%s", text)
    else:
        progress.before += 1
        log.debug("%s", text)


def _status(common: Common, progress: Progress, stop: StopFlag, out: Outlet) -> int:
    if progress.failed:
        before = f" ({progress.before} of them before this stage)" if progress.before else ""
        log.warning("%d of %d clips failed%s", progress.failed, progress.count, before)
    if common.shard[1] > 1:
        log.info(
            "shard %d of %d: %d clips, %d failed", *common.shard, progress.count, progress.failed
        )
    if stop.code is not None:
        # A reader that Ctrl-C ended too takes no records of what was made and kept.
        made = max(progress.count, progress.done + progress.passed)
        log.info("stopped on request after %d clips; the same command goes on%s", made, out.left())
        return stop.code
    out.tell(progress.count - progress.failed)
    if progress.damaged:
        return DamagedError.exit_code
    if common.shard[1] > 1:
        # The limit holds for the sum of all shards: sbtools status, or the join, looks at that.
        return 0
    return 0 if common.max_failed.allows(progress.failed, progress.count) else 3


def _tell(inputs: Inputs, done: Collection[str]) -> int:
    found = Counter(
        "failed" if "error" in record else "done" if record["id"] in done else "left"
        for record in inputs
    )
    log.info("%s", would_be(found["left"], "worked on", found["done"], found["failed"]))
    return 0


def would_be(left: int, doing: str, done: int, failed: int = 0) -> str:
    """What --dry-run says: "3 clips would be made, 9 are done already"."""
    told = [f"{left} clips would be {doing}"]
    told += [f"{done} are done already"] if done else []
    told += [f"{failed} failed before this stage"] if failed else []
    return ", ".join(told)


def ids_in(store: str | None, shard: tuple[int, int], afresh: bool, retry_failed: bool) -> set[str]:
    """The ids in a store that a stage would not work on again; none where it begins `afresh`."""
    from sbtools.store.held import held_ids

    if store is None or afresh or not os.path.isdir(store):
        return set()
    there, failed = held_ids(store)
    return there | failed.keys() if shard[1] > 1 and not retry_failed else there


def refuse_auto(common: Common, flag: str, names: str) -> None:
    """UsageError when `auto` is asked for where it could come out differently elsewhere."""
    task = "a Slurm job" if "SLURM_JOB_ID" in os.environ else None
    if common.shard[1] > 1 or task:
        raise UsageError(
            f"{flag} auto could differ from machine to machine under {task or '--shard'}: "
            f"name one, as in {names}"
        )
