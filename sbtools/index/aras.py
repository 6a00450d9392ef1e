"""ARAS, actions in rare scenes: the list aras_test_balance.txt, and the names of its classes.

kennymckormick/ARAS-Dataset d3a1560, annotations/.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from sbtools.errors import UsageError
from sbtools.index import lists
from sbtools.index.annotation import Annotated, stem_of
from sbtools.index.labels import Labels
from sbtools.index.labels import read as read_labels

LIST, NAMES = "aras_test_balance.txt", "k400_actions.txt"
VARIANT = "aras"


def read(places: Sequence[str], labels: Labels | None, fold: int) -> Iterator[Annotated]:
    """The clips of lists, or of the list in the folder of the official files.

    A line is FOLDERS/YOUTUBEID_N.mp4 and the number of a class of Kinetics-400; the source is the
    YouTube id. UsageError for a line that is none.
    """
    for place in places:
        own = labels
        if os.path.isdir(place):
            names = os.path.join(place, NAMES)
            own = read_labels(names) if labels is None and os.path.exists(names) else labels
            place = os.path.join(place, LIST)
        for entry in lists.entries(place):
            yield _clip(entry, place, own)


def _clip(entry: lists.Entry, place: str, labels: Labels | None) -> Annotated:
    if not isinstance(entry.label, int):
        raise UsageError(f"{entry.where}: not 'path number', as {LIST} has them")
    stem = stem_of(entry.path)
    video = stem.rpartition("_")[0] or None
    label = lists.label_of(entry, labels)
    return Annotated(stem, entry.path, place, label, source=video, fields={"variant": VARIANT})
