"""Kinetics: the official tables label,youtube_id,time_start,time_end,split, and lists."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

from sbtools.errors import UsageError
from sbtools.index import lists
from sbtools.index.annotation import (
    Annotated,
    Recording,
    lines_of,
    split_name,
    stem_of,
    text_of,
)
from sbtools.index.labels import Labels

_NEEDED = ("youtube_id", "time_start", "time_end")
_TRIMMED = re.compile(r"(.+)_(\d{6})_(\d{6})")


def read(places: Sequence[str], labels: Labels | None, fold: int) -> Iterator[Annotated]:
    """The clips of tables and lists; the source is the YouTube id.

    A clip of a table is the file YOUTUBEID_START_END, its seconds in six digits or as they are; a
    file YOUTUBEID is taken for the whole recording, and the record gets `start` and `end`.
    """
    for place in places:
        first = next((line for line, _ in lines_of(place)), "")
        if "youtube_id" in first.split(","):
            yield from _table(place, labels)
        else:
            yield from _list(place, labels)


def source_of(stem: str) -> str | None:
    """The YouTube id in the name of a trimmed clip, ID_000006_000016; None for another name."""
    parts = _TRIMMED.fullmatch(stem)
    return parts[1] if parts else None


def _table(place: str, labels: Labels | None) -> Iterator[Annotated]:
    rows = csv.DictReader(io.StringIO(text_of(place), newline=""))
    missing = set(_NEEDED) - set(rows.fieldnames or ())
    if missing:
        raise UsageError(f"{place} is no table of Kinetics: no column {', '.join(sorted(missing))}")
    for row in rows:
        yield _clip(row, place, f"{place}:{rows.line_num}", labels)


def _clip(row: dict[str, str], place: str, where: str, labels: Labels | None) -> Annotated:
    video, label, split = (row.get(name) or "" for name in ("youtube_id", "label", "split"))
    try:
        start, end = float(row["time_start"]), float(row["time_end"])
        recording = Recording(video, start, end)
        if not (video and 0 <= start < end < 1e6):
            raise ValueError
    except (TypeError, ValueError):
        raise UsageError(f"{where}: not a youtube_id with time_start < time_end") from None
    name = f"{video}_{int(start):06}_{int(end):06}"
    others = (f"{video}_{int(start)}_{int(end)}",)
    if label and labels:
        label = labels.spelled(label, where)
    return Annotated(
        name, f"{name}.mp4", place, label or None, split_name(split) or None, video, others,
        recording,
    )  # fmt: skip


def _list(place: str, labels: Labels | None) -> Iterator[Annotated]:
    found = lists.entries(place)
    lists.warn_of_other_labels(found, labels)
    for entry in found:
        stem = stem_of(entry.path)
        label = lists.label_of(entry, labels)
        yield Annotated(stem, entry.path, place, label, source=source_of(stem))
