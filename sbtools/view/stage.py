"""Records to the same records, and to pictures of their clips."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import nullcontext

from sbtools import records, work
from sbtools.errors import ClipError
from sbtools.job import Job
from sbtools.records import Record
from sbtools.view.sheet import Row, Sheet, make_folder
from sbtools.work import Chunk, Chunks, Item, Work

log = logging.getLogger("sbtools")

FACTORY = "sbtools.view.task:make"


def view(
    incoming: Iterable[Record],
    job: Job,
    *,
    sheet: str | None = None,
    video: str | None = None,
    what: str = "auto",
    columns: int = 8,
    rows: int = 12,
    cell: int = 240,
) -> Iterator[Record]:
    """Draw every clip, in order; yields the records as they came.

    `sheet` is the PNG of the contact sheet, `video` a folder for one overlay video per clip; `what`
    is one of source.WHAT. `columns` frames a row, `rows` clips a page, `cell` pixels a frame. A
    clip that cannot be drawn leaves with `error`. Raises OutputError when nothing can be written.
    """
    if video is not None:
        make_folder(video)
    settings = {
        "root": str(job.root),
        "what": what,
        "columns": columns if sheet is not None else 0,
        "cell": cell,
        "video": video,
    }
    items = (Item(record, record if "error" in record else None) for record in incoming)
    with Sheet(sheet, rows) if sheet is not None else nullcontext() as pages:
        for got in work.run(items, Work(FACTORY, settings), job):
            if got is not None:
                record, row = _drawn(*got)
                if pages is not None:
                    pages.add(row)
                yield record
    if pages is not None and pages.pages > 1:
        log.info("%d pages: %s and those numbered after it", pages.pages, sheet)


def _drawn(item: Item, chunks: Chunks) -> tuple[Record, Row]:
    """The record as it goes on, and its row of the sheet."""
    record = item.record
    row = Row(record["id"], record.get("label", ""))
    if item.again is None:
        try:
            _gather(record, row, chunks)
        except ClipError as error:
            record = records.fail(record, "view", error)
    if "error" in record:
        row.error = "{stage}, {kind}: {message}".format(**record["error"])
    return record, row


def _gather(record: Record, row: Row, chunks: Chunks) -> None:
    first = next(chunks)
    work.warn(record, first["warnings"])
    covers: list[float] = []
    row.told = _told(record, first, covers)
    for chunk in chunks:
        row.cells.append(chunk["cell"])
        covers += [] if chunk["cover"] is None else [chunk["cover"]]
    row.told = _told(record, first, covers)


def _told(record: Record, first: Chunk, covers: list[float]) -> list[str]:
    """ "8 of 131 frames with masks", "person 12 %", "320x240"."""
    kind, (height, width) = first["kind"], first["size"]
    of = f" of {record['frames']}" if "frames" in record and kind != "frames" else ""
    kept = {"masks": " with masks", "boxes": " looked at", "pixels": " of pixels"}.get(kind, "")
    parts = [f"{first['frames']}{of} frames{kept}"]
    if kind == "pixels" and "mode" in record:
        parts.append(f"mode {record.get('mode_effective', record['mode'])}")
    if covers:
        parts.append(f"person {100 * sum(covers) / len(covers):.0f} %")
    return [*parts, f"{width}x{height}"]
