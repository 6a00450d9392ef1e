"""HMDB51: CLASS_test_splitK.txt, and lists of flat file names."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from sbtools.errors import UsageError
from sbtools.index import lists
from sbtools.index.annotation import Annotated, lines_of, stem_of
from sbtools.index.labels import Labels

CLASSES = (
    "brush_hair cartwheel catch chew clap climb climb_stairs dive draw_sword dribble drink eat "
    "fall_floor fencing flic_flac golf handstand hit hug jump kick kick_ball kiss laugh pick pour "
    "pullup punch push pushup ride_bike ride_horse run shake_hands shoot_ball shoot_bow shoot_gun "
    "sit situp smile smoke somersault stand swing_baseball sword sword_exercise talk throw turn "
    "walk wave"
).split()
"""The folders of the videos, in the order of the alphabet."""

TAGS = {"0": "unused", "1": "train", "2": "test"}
_SPLIT_FILE = re.compile(r"(.+)_test_split([123])\.txt")
_TAGGED = re.compile(r"(.*\S)\s+([012])\s*")
_NAME = re.compile(r"(.*)_[fhlu]_(?:nm|cm)_np\d+_(?:fr|ba|le|ri)_(?:goo|med|bad)_\d+")
_LONGEST_FIRST = sorted(CLASSES, key=len, reverse=True)


def read(places: Sequence[str], labels: Labels | None, fold: int) -> Iterator[Annotated]:
    """The clips of lists, of files of one class, or of split `fold` of the folder of all.

    Labels have spaces where folders have _, unless the labels file spells them otherwise. In a list
    the class is the one in the file's name; the source is what stands there before it.
    """
    for place in places:
        paths = _official(place, fold) if os.path.isdir(place) else [place]
        for path in paths:
            found = _SPLIT_FILE.fullmatch(os.path.basename(path))
            yield from _tagged(path, found[1], labels) if found else _list(path, labels)


def parts_of(stem: str) -> tuple[str, str] | None:
    """What stands before the class in a file's name, and the class; None for another name."""
    found = _NAME.fullmatch(stem)
    for name in _LONGEST_FIRST if found else ():
        if found and found[1].endswith("_" + name):
            return found[1][: -len(name) - 1], name
    return None


def _official(folder: str, fold: int) -> list[str]:
    ending = f"_test_split{fold}.txt"
    names = sorted(name for name in os.listdir(folder) if name.endswith(ending))
    if not names:
        raise UsageError(f"{folder}: there is no file CLASS{ending}: --fold is 1, 2 or 3")
    return [os.path.join(folder, name) for name in names]


def _spelled(name: str, labels: Labels | None, where: str) -> str:
    return labels.spelled(name, where) if labels else name.replace("_", " ")


def _tagged(place: str, name: str, labels: Labels | None) -> Iterator[Annotated]:
    for line, where in lines_of(place):
        found = _TAGGED.fullmatch(line)
        if found is None:
            raise UsageError(f"{where}: not a file name and 0, 1 or 2: {line!a}")
        stem = stem_of(found[1])
        parts = parts_of(stem)
        yield Annotated(
            stem, f"{name}/{found[1]}", place, _spelled(name, labels, where), TAGS[found[2]],
            parts[0] if parts else None,
        )  # fmt: skip


def _list(place: str, labels: Labels | None) -> Iterator[Annotated]:
    told: Counter[tuple[str, str]] = Counter()
    found = lists.entries(place)
    for entry in found:
        stem = stem_of(entry.path)
        parts = parts_of(stem)
        if parts is None:
            yield Annotated(stem, entry.path, place, lists.label_of(entry, labels))
            continue
        label = _spelled(parts[1], labels, entry.where)
        if labels and isinstance(entry.label, int):
            number = labels.by_number.get(entry.label, f"number {entry.label}")
            told[number, label] += number != label
        yield Annotated(stem, entry.path, place, label, source=parts[0])
    lists.warn_of_other_names(+told, len(found), place)
