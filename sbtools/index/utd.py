"""UTD: the clips of a known set, without those whose objects give their class away.

ninatu/utd-project 2b22d48: splits_SET_LIST.json is an object of lists of ids, which are file names
without suffix (utd/videoglue/get_split_results.py, utd/videoglue/datasets/kinetics_sparse.py).
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sbtools.errors import UsageError
from sbtools.index import ucf101
from sbtools.index.annotation import Annotated, json_of, names_of
from sbtools.index.labels import Labels
from sbtools.registry import load

log = logging.getLogger("sbtools")

SETS = {
    "ucf": ("ucf101", "sbtools.index.ucf101:read"),
    "ssv2": ("ssv2", "sbtools.index.ssv2:read"),
    "kinetics_400": ("kinetics400", "sbtools.index.kinetics:read"),
    "kinetics_600": ("kinetics600", "sbtools.index.kinetics:read"),
    "kinetics_700": ("kinetics700", "sbtools.index.kinetics:read"),
}
"""UTD's name of a set -> what records call it, and what reads the set's own lists."""

_FILE = re.compile(r"splits_(.+)_[^_]+\.json")
Lists = Mapping[str, frozenset[str]]


def read(places: Sequence[str], labels: Labels | None, fold: int) -> Iterator[Annotated]:
    """The clips that stand in a list of UTD's file, as the reader of the set gives them.

    UCF101 needs no list of its own, for its names tell the class. UsageError unless one file of
    `places` is UTD's, of a set that is known, and where no id is one of the set's own lists.
    """
    files = [place for place in places if _FILE.fullmatch(os.path.basename(place))]
    own = [place for place in places if place not in files]
    if len(files) != 1:
        raise UsageError(
            f"{len(files)} of the --annotations are called splits_SET_LIST.json, as UTD's are: "
            "give one, and the lists of the data set"
        )
    dataset, reader = _set_of(files[0])
    found = _lists(files[0])
    if own:
        clips = list(load(reader)(own, labels, fold))
    elif dataset == "ucf101":
        clips = list(ucf101.named(sorted(frozenset().union(*found.values())), files[0], labels))
    else:
        raise UsageError(f"{files[0]} has only ids: add the list of {dataset} to --annotations")
    yield from _of_lists(clips, found, files[0], dataset)


def _set_of(place: str) -> tuple[str, str]:
    found = _FILE.fullmatch(os.path.basename(place))
    name = found[1] if found else ""
    if name not in SETS:
        raise UsageError(f"{place}: '{name}' is no set that is read here: {', '.join(SETS)}")
    return SETS[name]


def _lists(place: str) -> Lists:
    """The ids of each list; lists of lists, which are no test of their own, are left out."""
    table = json_of(place)
    if not isinstance(table, dict):
        raise UsageError(f"{place} is no object of lists of ids")
    lists = {name: ids for name, ids in table.items() if not _nested(ids)}
    for name, ids in lists.items():
        if not isinstance(ids, list) or not all(isinstance(id, str) for id in ids):
            raise UsageError(f"{place}: {name!a} is no list of ids")
    if not any(lists.values()):
        raise UsageError(f"{place}: there is no list of ids in it")
    return {name: frozenset(ids) for name, ids in lists.items() if ids}


def _nested(ids: object) -> bool:
    return isinstance(ids, list) and ids != [] and all(isinstance(each, list) for each in ids)


def _of_lists(
    clips: Sequence[Annotated], lists: Lists, place: str, dataset: str
) -> Iterator[Annotated]:
    known = {name for clip in clips for name in names_of(clip)}
    wanted = frozenset().union(*lists.values())
    strange = sorted(wanted - known)
    if len(strange) == len(wanted):
        raise UsageError(
            f"{place}: none of its ids is in the lists of {dataset}, as '{strange[0]}' is not: "
            "give those of this data set"
        )
    if strange:
        log.warning("%s: %d of %d ids are not in the lists of %s, such as %s",
                    place, len(strange), len(wanted), dataset, strange[0])  # fmt: skip
    for clip in clips:
        names = names_of(clip)
        own = tuple(name for name, ids in lists.items() if not ids.isdisjoint(names))
        if own:
            yield replace(clip, lists=own, fields={**clip.fields, "dataset": dataset})
