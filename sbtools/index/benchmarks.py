"""What SCUBA, SCUFO and ConflFG have in common, whoever made them: folders, lists and clips."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from sbtools.errors import UsageError
from sbtools.index import lists
from sbtools.index.annotation import Annotated, lines_of, split_of_file, stem_of
from sbtools.index.labels import Labels
from sbtools.index.lists import Entry
from sbtools.index.originals import Original, original_of

_KINDS = {"places365": "places?(?:365)?", "vqgan": "vqgan", "stripe": "stripes?|sinusoid(?:al)?"}
_VARIANTS = {
    "conflfg": "conflfg|mix_dynamic_static",
    "scufo": "scufo|static",
    "scuba": "scuba|replacebackground",
}
_LINE = re.compile(r"(\S+)[ \t]+\d{1,9}[ \t]+(\d{1,9})")
_DEEP = 3
"""How many folders from the last are asked what set they are."""


def kind_of(folder: str, place: str = "") -> str:
    """Where the backgrounds are from, by the name of the folder, else of the list `place`.

    places365, vqgan or stripe, which DEVIAS calls sinusoidal. UsageError where neither tells, and
    where they differ.
    """
    told, listed = _told(folder, _KINDS), _told(place, _KINDS)
    if told and listed and told != listed:
        raise UsageError(
            f"{place} is a list of {listed}, and {folder} holds {told}: give --annotations the "
            "list of this set"
        )
    if kind := told or listed:
        return kind
    raise UsageError(
        f"{folder}: its name does not say which backgrounds it has: give the folder of one set, "
        "with places, vqgan, stripe or sinusoidal in its name"
    )


def variant_of(folder: str, place: str = "") -> str:
    """scuba, scufo or conflfg, by the name of the folder, else of the list; UsageError for none.

    StillMix calls them replacebackground, replacebackground..static and mix_dynamic_static.
    """
    if variant := _told(folder, _VARIANTS) or _told(place, _VARIANTS):
        return variant
    raise UsageError(
        f"{folder}: its name does not say which set it is: give the folder of one set, with SCUBA, "
        "SCUFO or ConflFG in its name"
    )


def composites(place: str, labels: Labels | None, variant: str, kind: str) -> Iterator[Annotated]:
    """The clips of a list, `name frames label` a line, in the numbering of all classes, from 0.

    UsageError for another line, for a name that is not of a clip of UCF101, HMDB51 or Kinetics, and
    for a number without labels where the name tells no class.
    """
    told: Counter[tuple[str, str]] = Counter()
    found = list(_entries(place))
    for entry in found:
        original = _original(entry.path, entry.where)
        label = _label(original, entry, labels)
        if labels and label and original.label and isinstance(entry.label, int):
            number = labels.by_number.get(entry.label, f"number {entry.label}")
            told[number, label] += number != label
        yield composite(entry.path, place, label, variant, kind)
    lists.warn_of_other_names(+told, len(found), place)


def composite(path: str, place: str, label: str | None, variant: str, kind: str) -> Annotated:
    """A clip with a background of `kind`: SCUBA and ConflFG are counterparts of their original,
    an image of SCUFO is one of the clip of SCUBA that it was taken from."""
    name = stem_of(path)
    original = _original(path, place)
    whole = f"scuba-{kind}/{name}" if variant == "scufo" else original.id
    fields: Mapping[str, str] = {
        "dataset": original.dataset, "pair_of": whole, "variant": variant, "background_kind": kind,
    }  # fmt: skip
    return Annotated(
        f"{variant}-{kind}/{name}", path, place, label, split_of_file(place), original.source,
        fields=fields,
    )  # fmt: skip


def _original(path: str, where: str) -> Original:
    found = original_of(stem_of(path))
    if found is None:
        raise UsageError(
            f"{where}: {stem_of(path)!a} is not called as clips made of UCF101, HMDB51 or Kinetics "
            "are: is this another data set?"
        )
    return found


def _entries(place: str) -> Iterator[Entry]:
    for line, where in lines_of(place):
        found = _LINE.fullmatch(line)
        if found is None:
            raise UsageError(f"{where}: not 'name frames label': {line[:80]!a}")
        yield Entry(found[1], int(found[2]), where)


def _label(original: Original, entry: Entry, labels: Labels | None) -> str | None:
    if original.label is None:
        return lists.label_of(entry, labels)
    return labels.spelled(original.label, entry.where) if labels else original.label


def _told(path: str, words: Mapping[str, str]) -> str | None:
    """What the names of a path's last parts say, the last that says anything of it."""
    parts = os.path.abspath(path).lower().split("/")[::-1] if path else []
    for part in parts[:_DEEP]:
        for name, pattern in words.items():
            if re.search(f"(?<![a-z])(?:{pattern})(?![a-z])", part):
                return name
    return None
