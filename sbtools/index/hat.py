"""HAT's action swaps and background-only videos: princetonvisualai/HAT bda849b, data/ and
mmaction2/mmaction/datasets/actionswap_dataset.py; KHU-VLL/DEVIAS e9dccb7, filelist/hat/."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sbtools.errors import UsageError
from sbtools.index import lists, pickles
from sbtools.index.annotation import Annotated, lines_of
from sbtools.index.labels import Labels, key_of_label
from sbtools.index.originals import original_of

_LINE = re.compile(r"(.*\S)[ \t]+\d{1,9}[ \t]+(\d{1,9})")
_INPAINTED = {"inp", "inpaint", "inpainted"}
_MASKS = {"seg", "segmentation"}
_LONGEST = 1000


class Pair(NamedTuple):
    """A video whose people are to be shown before the background of another; both CLASS/VIDEO."""

    foreground: str
    background: str
    number: int
    where: str


Listed = Mapping[str, tuple[int, str]]


def read(places: Sequence[str], labels: Labels | None, folder: str) -> list[Annotated]:
    """A clip for each pair of a pair file, or without one for each video of lists.

    Where the folder is of the videos, `background_id` and `background_label` say what each is to be
    shown before. Where it is inp/ or inpaint/, the clips are the same videos without people, as
    counterparts of these (variant bg-only). Lists, `CLASS/VIDEO frames label` or without CLASS/,
    hold all videos of the set: a pair of others is an error. A class is believed as CLASS/ says it.
    """
    files = [place for place in places if place.endswith((".pickle", ".pkl"))]
    if len(files) > 1:
        raise UsageError(f"{files[0]} and {files[1]}: give one pair file at a time")
    listed = dict(entry for place in places if place not in files for entry in _listed(place))
    bare = _is(folder, _INPAINTED)
    if _is(folder, _MASKS):
        raise UsageError(f"{folder} holds masks: INPUT is the folder of the videos, ori/ or inp/")
    if files:
        pairs = list(_checked(_pairs(files[0]), listed, labels))
        clips = [_clip(pair.foreground, pair.where, labels, bare) for pair in pairs]
        if not bare:
            clips = [_before(*each, labels) for each in zip(clips, pairs, strict=True)]
    else:
        named = ((_whole(name, *entry, labels), entry[1]) for name, entry in listed.items())
        clips = [_clip(name, where, labels, bare) for name, where in named]
    _warn(clips, listed, labels)
    return clips


def _is(folder: str, words: set[str]) -> bool:
    return not words.isdisjoint(os.path.abspath(folder).lower().split("/")[-2:])


def _listed(place: str) -> Iterator[tuple[str, tuple[int, str]]]:
    for line, where in lines_of(place):
        found = _LINE.fullmatch(line)
        if found is None:
            raise UsageError(f"{where}: not 'class/video frames label': {line[:80]!a}")
        yield found[1], (int(found[2]), where)


def _whole(name: str, number: int, where: str, labels: Labels | None) -> str:
    """CLASS/VIDEO of a list that may have no CLASS/."""
    if "/" not in name:
        if labels is None:
            raise UsageError(f"{where}: classes are numbers: --labels FILE names them")
        name = f"{labels.numbered(number, where)}/{name}"
    if not _is_video(name):
        raise UsageError(f"{where}: not CLASS/VIDEO: {name[:80]!a}")
    return name


def _pairs(place: str) -> Iterator[Pair]:
    found = pickles.read(place)
    if not isinstance(found, dict) or not found:
        raise UsageError(f"{place} is no pair file: a dict of CLASS/VIDEO is needed")
    for key, value in found.items():
        where = f"{place}, pair {str(key)[:80]!a}"
        entries = value if isinstance(value, (list, tuple)) else ()
        if len(entries) != 3 or not _is_video(key) or not _is_video(entries[0]):
            raise UsageError(f"{where}: not CLASS/VIDEO to [CLASS/VIDEO, frames, class]")
        if not all(re.fullmatch(r"\d{1,9}", str(number)) for number in entries[1:]):
            raise UsageError(f"{where}: frames and class are to be whole numbers")
        yield Pair(key, entries[0], int(entries[2]), where)


def _is_video(name: Any) -> bool:
    parts = name.split("/") if isinstance(name, str) else []
    if len(parts) != 2 or {"", ".", ".."} & set(parts):
        return False
    return len(name) <= _LONGEST and name.isprintable()


def _checked(pairs: Iterator[Pair], listed: Listed, labels: Labels | None) -> Iterator[Pair]:
    """The pairs, once nothing speaks against them: lists, labels, and one number to a class."""
    numbers: dict[str, int] = {}
    for pair in pairs:
        _check_number(pair, numbers, labels)
        for name in (pair.foreground, pair.background) if listed else ():
            if _entry(name, listed) is None:
                raise UsageError(f"{pair.where}: {name!a} is in no list: is this another data set?")
        yield pair


def _entry(name: str, listed: Listed) -> tuple[int, str] | None:
    return listed.get(name) or listed.get(name.split("/")[1])


def _check_number(pair: Pair, numbers: dict[str, int], labels: Labels | None) -> None:
    word = pair.background.split("/")[0]
    known = numbers.setdefault(word, pair.number)
    if known != pair.number:
        raise UsageError(f"{pair.where}: '{word}' is class {pair.number}, and {known} elsewhere")
    told = labels.numbered(pair.number, pair.where) if labels else word
    if labels and key_of_label(told) != key_of_label(word):
        raise UsageError(
            f"{pair.where}: '{word}' is class {pair.number}, which is '{told}' in {labels.where}: "
            "give the --labels that the pairs were made with"
        )


def _warn(clips: Sequence[Annotated], listed: Listed, labels: Labels | None) -> None:
    """Of videos whose number in a list is that of another class, as of 36 in DEVIAS's list."""
    told: Counter[tuple[str, str]] = Counter()
    where = ""
    for clip in clips:
        entry = _entry(clip.path, listed)
        if entry and labels and clip.label:
            number = labels.by_number.get(entry[0], f"number {entry[0]}")
            told[number, clip.label] += number != clip.label
            where = entry[1].rpartition(":")[0]
    lists.warn_of_other_names(+told, len(clips), where)


def _clip(name: str, where: str, labels: Labels | None, bare: bool) -> Annotated:
    word, video = name.split("/")
    original = original_of(video)
    fields = {"dataset": original.dataset} if original else {}
    if bare:
        fields |= {"pair_of": name, "variant": "bg-only"}
    return Annotated(
        f"bg-only/{name}" if bare else name, name, where,
        labels.spelled(word, where) if labels else word,
        source=original.source if original else name, fields=fields,
    )  # fmt: skip


def _before(clip: Annotated, pair: Pair, labels: Labels | None) -> Annotated:
    word = pair.background.split("/")[0]
    label = labels.spelled(word, pair.where) if labels else word
    more = {"background_id": pair.background, "background_label": label}
    return replace(clip, fields={**clip.fields, **more})
