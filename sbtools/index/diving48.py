"""Diving48: the lists of version 2 in JSON, and other lists of flat file names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sbtools.errors import UsageError
from sbtools.index import lists
from sbtools.index.annotation import Annotated, json_of, stem_of
from sbtools.index.labels import Labels

_FRAMES = ("start_frame", "end_frame")


def read(places: Sequence[str], labels: Labels | None, fold: int) -> Iterator[Annotated]:
    """The clips of lists: of objects with vid_name and label, or of lines as others have them.

    The source is what stands before the last _ of the name, the recording. start_frame and
    end_frame are kept as they are: nobody who reads the list cuts the files by them.
    """
    for place in places:
        found = _objects(place) if place.endswith(".json") else _lines(place)
        for entry, fields in found:
            stem = stem_of(entry.path)
            source = stem.rpartition("_")[0] or None
            label = lists.label_of(entry, labels)
            yield Annotated(stem, entry.path, place, label, source=source, fields=fields)


def _lines(place: str) -> Iterator[tuple[lists.Entry, dict[str, int]]]:
    return ((entry, {}) for entry in lists.entries(place))


def _objects(place: str) -> Iterator[tuple[lists.Entry, dict[str, int]]]:
    items = json_of(place)
    if not isinstance(items, list):
        raise UsageError(f"{place}: not a list of objects with vid_name and label")
    for number, item in enumerate(items):
        where = f"{place}, item {number}"
        if not isinstance(item, dict) or not _is_clip(item):
            raise UsageError(f"{where}: not an object with a vid_name and a number as label")
        entry = lists.Entry(f"{item['vid_name']}.mp4", item["label"], where)
        yield entry, {name: item[name] for name in _FRAMES if type(item.get(name)) is int}


def _is_clip(item: dict[str, Any]) -> bool:
    name, label = item.get("vid_name"), item.get("label")
    return isinstance(name, str) and name.strip("/.") != "" and type(label) is int and label >= 0
