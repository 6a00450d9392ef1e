"""UCF101: trainlist0k.txt and testlist0k.txt, and lists of flat file names."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from sbtools.errors import UsageError
from sbtools.index import lists
from sbtools.index.annotation import Annotated, stem_of
from sbtools.index.labels import Labels
from sbtools.index.labels import read as read_labels

_NAME = re.compile(r"v_(.+)_g(\d+)_c(\d+)")
_FILES, _CLASS = "HandStandPushups", "HandstandPushups"
"""The one class whose files are not spelled as it is."""


def read(places: Sequence[str], labels: Labels | None, fold: int) -> Iterator[Annotated]:
    """The clips of lists, or of split `fold` (1 to 3) of the folder of the official lists.

    The class is the one in the file's name, v_CLASS_gXX_cYY; the source is v_CLASS_gXX, for the
    clips of a group were cut from one recording.
    """
    for place in places:
        if os.path.isdir(place):
            names = os.path.join(place, "classInd.txt")
            own = read_labels(names) if labels is None and os.path.exists(names) else labels
            for path in _official(place, fold):
                yield from _list(path, own)
        else:
            yield from _list(place, labels)


def parts_of(stem: str) -> tuple[str, str, str] | None:
    """The id, the source and the class of a file's name; None for another name."""
    parts = _NAME.fullmatch(stem)
    if parts is None:
        return None
    official = stem.replace(_CLASS, _FILES)
    return official, official.rpartition("_c")[0], parts[1].replace(_FILES, _CLASS)


def _official(folder: str, fold: int) -> list[str]:
    paths = [os.path.join(folder, f"{part}list{fold:02}.txt") for part in ("train", "test")]
    for path in paths:
        if not os.path.exists(path):
            raise UsageError(f"{path}: there is no such list: --fold is 1, 2 or 3")
    return paths


def named(names: Iterable[str], place: str, labels: Labels | None) -> Iterator[Annotated]:
    """The clips of names without suffix, v_CLASS_gXX_cYY, that stand in the file `place`."""
    return _entries([lists.Entry(f"{name}.avi", None, place) for name in names], place, labels)


def _list(place: str, labels: Labels | None) -> Iterator[Annotated]:
    return _entries(lists.entries(place), place, labels)


def _entries(
    found: Sequence[lists.Entry], place: str, labels: Labels | None
) -> Iterator[Annotated]:
    told: Counter[tuple[str, str]] = Counter()
    for entry in found:
        stem = stem_of(entry.path)
        parts = _NAME.fullmatch(stem)
        if parts is None:
            yield Annotated(stem, entry.path, place, lists.label_of(entry, labels))
            continue
        label = parts[1].replace(_FILES, _CLASS)
        if labels:
            label = labels.spelled(label, entry.where)
            if isinstance(entry.label, int):
                number = labels.by_number.get(entry.label, f"number {entry.label}")
                told[number, label] += number != label
        yield _clip(stem, entry.path, place, label)
    lists.warn_of_other_names(+told, len(found), place)


def _clip(stem: str, path: str, place: str, label: str) -> Annotated:
    official = stem.replace(_CLASS, _FILES)
    source = official.rpartition("_c")[0]
    others = (official, official.replace(_FILES, _CLASS))
    return Annotated(official, path, place, label, source=source, others=others)
