"""A stage's clips through the pool: what is to be worked on, and what only keeps its place."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sbtools import pool
from sbtools.clip import ClipInfo
from sbtools.job import Job
from sbtools.records import Record
from sbtools.registry import load

log = logging.getLogger("sbtools")

Chunk = dict[str, Any]
Chunks = Iterator[Chunk]


@dataclass(frozen=True)
class Work:
    """What workers do: a factory, "module:attribute", and its settings.

    Each worker calls it once; what it returns is called with a record and yields chunks.
    """

    factory: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Item:
    """A record on its way; `again` is what to print when there is nothing left to do."""

    record: Record
    again: Record | None = None


def run(items: Iterable[Item], work: Work, job: Job) -> Iterator[tuple[Item, Chunks] | None]:
    """Each item with the chunks that its work yields, in order; None while nothing is ready.

    Items with `again` come without chunks. The chunks raise ClipError when the clip fails.
    """
    for got in pool.run(
        items,
        "sbtools.work:unwrapped",
        {"factory": work.factory, "settings": work.settings},
        workers=job.workers,
        timeout=job.clip_timeout,
        stop=job.stop,
        bypass=lambda item: item.again is not None,
    ):
        worked = got is not None and got[0].again is None
        if got is not None and not worked:
            job.passed()
        yield got
        if worked:
            job.worked()


def unwrapped(factory: str, settings: dict[str, Any]) -> Callable[[Item], Chunks]:
    """The factory that workers call: the task of `factory`, given the record of an item."""
    task = load(factory)(**settings)
    return lambda item: task(item.record)


def told(name: str, settings: dict[str, Any]) -> str:
    """What made a result, as one line for the field `made`."""
    parts = [f"{key}={_plain(value)}" for key, value in settings.items()]
    return "; ".join([name, *parts])


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key}={_plain(entry)}" for key, entry in value.items()) + ")"
    if isinstance(value, list):
        return "[" + ", ".join(map(_plain, value)) + "]"
    return str(value)


def drain(chunks: Chunks) -> None:
    """Read to the end, so that a late failure is not lost."""
    for _ in chunks:
        pass


def warn(record: Record, warnings: Iterable[str]) -> None:
    """Log what a decoder had to remark about a clip."""
    for text in warnings:
        log.warning("%s: %s", record["id"], text)


def probed(record: Record, info: ClipInfo) -> Record:
    """A copy of the record with what decoding has shown: frames, fps, width, height."""
    known: dict[str, float] = {"frames": info.frames, "width": info.width, "height": info.height}
    return {**record, **known, **rate(info.fps)}


def rate(fps: float) -> dict[str, float]:
    """`fps` as a record has it; nothing where it is unknown, or so low that it reads as 0."""
    shown = round(fps, 3)
    return {"fps": shown} if shown > 0 else {}
