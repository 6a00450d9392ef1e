"""Records to records with frames, fps, width and height."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sbtools import __version__, records, work
from sbtools.clip import locate
from sbtools.errors import ClipError
from sbtools.job import Job
from sbtools.records import Record
from sbtools.video import digest, probe
from sbtools.work import Chunks, Item, Work

FACTORY = "sbtools.index.stage:prober"


def index(incoming: Iterable[Record], job: Job, *, verify: bool = False) -> Iterator[Record]:
    """Probe the video of every record, in order.

    Frames are counted from the packets; with `verify` every frame is decoded, and the record
    gets the file's `digest`, which later stages hold against the file that they find.
    """
    items = (Item(record, record if "error" in record else None) for record in incoming)
    task = Work(FACTORY, {"root": str(job.root), "verify": verify})
    for got in work.run(items, task, job):
        if got is not None:
            item, chunks = got
            yield item.again or _indexed(item.record, chunks)


def prober(root: str, verify: bool) -> Callable[[Record], Iterator[dict[str, Any]]]:
    """The factory that workers call: a record gives one chunk, what the probe found."""

    def task(record: Record) -> Iterator[dict[str, Any]]:
        path = locate(record, root)
        start, end, fps = (record.get(name) for name in ("start", "end", "fps"))
        found = probe(path, start, end, verify=verify, fps=fps)
        fields: dict[str, Any] = {"frames": found.frames, **work.rate(found.fps)}
        fields |= {"width": found.width, "height": found.height}
        if verify:
            fields["digest"] = digest(path)
        yield {"fields": fields, "warnings": found.warnings}

    return task


def _indexed(record: Record, chunks: Chunks) -> Record:
    try:
        found = next(chunks)
        work.drain(chunks)
    except ClipError as error:
        return records.fail(record, "index", error)
    work.warn(record, found["warnings"])
    made = {**record.get("made", {}), "index": f"sbtools={__version__}"}
    return {**record, **found["fields"], "made": made}
