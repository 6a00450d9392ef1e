"""Lists of clips, "path label" a line, as ViFi-CLIP, ActionCLIP and UCF101 have them."""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sbtools.errors import UsageError
from sbtools.index.annotation import Annotated, json_of, lines_of, stem_of
from sbtools.index.labels import Labels
from sbtools.video.folder import STILL_SUFFIXES, VIDEO_SUFFIXES, ZIP_SUFFIX, suffix_of

log = logging.getLogger("sbtools")

NONE = -1
"""The number of no class, as MMAction2 and PyTorchVideo have it in lists for tests."""

_GAP = r"(?:[ \t]*,[ \t]*|[ \t]+)"


def _path_and_rest(suffixes: Iterable[str]) -> re.Pattern[str]:
    ends = "|".join(map(re.escape, sorted(suffixes)))
    return re.compile(rf"(.*(?:{ends}))(?:{_GAP}(\S.*))?", re.I)


_VIDEO = _path_and_rest(VIDEO_SUFFIXES)
_IMAGES = _path_and_rest(STILL_SUFFIXES | {ZIP_SUFFIX})
_PAIR = re.compile(rf"(.*[^\s,]){_GAP}(-1|\d{{1,9}})")
_TRIPLE = re.compile(rf"(.*[^\s,]){_GAP}\d{{1,9}}{_GAP}(-1|\d{{1,9}})")
_SEVERAL = re.compile(r"-?\d+(?:[\s,]+-?\d+)+")


@dataclass(frozen=True)
class Entry:
    """A line of a list: a path, and the class by number or by name; None where it has none, NONE
    where it says so."""

    path: str
    label: int | str | None
    where: str


def read(places: Sequence[str], labels: Labels | None, fold: int) -> Iterator[Annotated]:
    """The clips of lists that are no known data set's: the path without suffix is the id."""
    for place in places:
        found = list(map(checked, entries(place)))
        warn_of_other_labels(found, labels)
        for entry in found:
            folders = os.path.dirname(os.path.normpath(entry.path))
            identity = os.path.join(folders, stem_of(entry.path))
            label = label_of(entry, labels)
            yield Annotated(identity, entry.path, place, label, exact=True)


def entries(place: str) -> list[Entry]:
    """The lines of a list; UsageError for one that is none.

    A path may hold spaces: it ends at the suffix of a video, else before the last number, else at
    the suffix of a zip or an image. Where every line ends in two numbers behind a folder of frames,
    the first is how many there are (ActionCLIP's lists). A list in JSON holds objects with filename
    and label.
    """
    if place.endswith(".json"):
        return list(_entries_of_json(place))
    lines = list(lines_of(place))
    found = []
    for (line, where), entry in zip(lines, parsed(lines), strict=True):
        if entry is None:
            raise UsageError(f"{where}: not 'path label', nor the path of a video: {line!a}")
        found.append(entry)
    return found


def parsed(lines: Sequence[tuple[str, str]]) -> list[Entry | None]:
    """Lines, each with its place, as `entries` reads them; None for one that is no entry."""
    plain = [line for line, _ in lines if not _VIDEO.fullmatch(line)]
    folders = _TRIPLE if plain and all(map(_TRIPLE.fullmatch, plain)) else _PAIR
    return [_entry(line, where, folders) for line, where in lines]


def _entry(line: str, where: str, folders: re.Pattern[str]) -> Entry | None:
    found = _VIDEO.fullmatch(line) or folders.fullmatch(line) or _IMAGES.fullmatch(line)
    return Entry(found[1], class_of(found[2]), where) if found else None


def class_of(text: str | None) -> int | str | None:
    """The class as a list writes it: a number, as tables also write 3.0, or a name."""
    found = re.fullmatch(r"(-1|\d{1,9})(?:\.0)?", text or "")
    return int(found[1]) if found else text


def checked(entry: Entry) -> Entry:
    """The entry; UsageError for one that has several classes."""
    if isinstance(entry.label, str) and _SEVERAL.fullmatch(entry.label):
        raise UsageError(f"{entry.where}: one class is needed, not {entry.label!a}")
    return entry


def is_video(path: str) -> bool:
    """Whether it ends in the suffix of a video."""
    return suffix_of(path) in VIDEO_SUFFIXES


def _entries_of_json(place: str) -> Iterator[Entry]:
    items = json_of(place)
    for number, item in enumerate(items if isinstance(items, list) else [items]):
        where = f"{place}, item {number}"
        if not isinstance(item, dict) or not isinstance(item.get("filename"), str):
            raise UsageError(f"{where}: not an object with filename and label")
        label = item.get("label")
        if isinstance(label, list) and len(label) == 1:
            label = label[0]
        if not isinstance(label, (int, str, type(None))):
            raise UsageError(f"{where}: one label is needed, not {label!a}")
        yield Entry(item["filename"], label, where)


def label_of(entry: Entry, labels: Labels | None) -> str | None:
    """The class name of a line; UsageError for a number without labels, or one outside them."""
    if entry.label is None or entry.label == NONE:
        return None
    if isinstance(entry.label, str):
        return labels.spelled(entry.label, entry.where) if labels else entry.label
    if labels is None:
        raise UsageError(f"{entry.where}: classes are numbers: --labels FILE names them")
    return labels.numbered(entry.label, entry.where)


def warn_of_other_labels(found: Sequence[Entry], labels: Labels | None) -> None:
    """Warn where a list uses the numbers 0 to n alone, and the labels go on behind n.

    Lists of base and of novel classes are numbered anew, from 0: read with the names of all
    classes they give wrong names, and nothing else shows it.
    """
    numbers = {entry.label for entry in found if isinstance(entry.label, int)} - {NONE}
    if labels and numbers and max(numbers) < max(labels.by_number) and len(numbers) > 1:
        log.warning(
            "%s uses the classes %d to %d, and %s has them up to %d: do they belong together?",
            found[0].where.rpartition(":")[0], min(numbers), max(numbers), labels.where,
            max(labels.by_number),
        )  # fmt: skip


def warn_of_other_names(told: Counter[tuple[str, str]], count: int, where: str) -> None:
    """Warn where the numbers of a list and the names of its files name different classes.

    `told` counts (name by number, name by file). The label files that come with ViFi-CLIP name
    `kick` and `kick ball`, and `sword` and `sword exercise` of HMDB51 the wrong way round.
    """
    if told:
        pairs = ", ".join(f"'{file}' is '{number}'" for number, file in sorted(told)[:4])
        log.warning(
            "%s: %d of %d clips have another class by number than by file name (by number, %s): "
            "the file name was believed",
            where, sum(told.values()), count, pairs,
        )  # fmt: skip
