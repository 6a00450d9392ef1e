"""UCF101-24: the videos of 24 classes of UCF101 in which people are annotated, with their boxes."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sbtools.errors import UsageError
from sbtools.index import pickles, tubes
from sbtools.index.annotation import Annotated, lines_of, split_of_file, stem_of
from sbtools.index.labels import Labels

log = logging.getLogger("sbtools")

CLASSES = (
    "Basketball BasketballDunk Biking CliffDiving CricketBowling Diving Fencing FloorGymnastics "
    "GolfSwing HorseRiding IceDancing LongJump PoleVault RopeClimbing SalsaSpin SkateBoarding "
    "Skiing Skijet SoccerJuggling Surfing TennisSwing TrampolineJumping VolleyballSpiking "
    "WalkingWithDog"
).split()
"""The classes in the order of their numbers, which is that of the alphabet."""

MOST_BYTES = 256 << 20
"""Of a pickle: the 573,862 boxes of pyannot.pkl are 23 MB as rows of doubles, escaped 92."""

_KEY = re.compile(r"(\w+)/((v_\w+_g\d+)_c\d+)")
Tubes = dict[str, list[tuple[int, tubes.Rows]]]
Splits = Mapping[str, str]


def read(places: Sequence[str], labels: Labels | None, fold: int) -> Iterator[Annotated]:
    """The videos of one pickle that have tubes of their class, with the boxes of all of these.

    Lists of names choose among the videos and tell the split; else the pickle does, where it has
    one. UsageError for anything else.
    """
    files = [place for place in places if place.endswith(".pkl")]
    if len(files) != 1:
        raise UsageError(
            f"{len(files)} of the --annotations end in .pkl: give one, pyannot.pkl or "
            "UCF101v2-GT.pkl, and if you like the lists of its videos"
        )
    place = files[0]
    names, found, splits = _contents(pickles.read(place, MOST_BYTES), place, fold)
    chosen = _listed([each for each in places if each != place])
    bare = 0
    for key, labelled in found.items():
        name, stem, source = _parts(key, place)
        own = [rows for number, rows in labelled if number == _number(name, names)]
        bare += not own
        if own and (not chosen or stem in chosen):
            label = labels.spelled(name, place) if labels else name
            split = chosen.get(stem) or splits.get(key)
            boxes = tubes.fields(own)
            yield Annotated(stem, f"{key}.avi", place, label, split, source, fields=boxes)
    if bare:
        log.warning("%s: %d videos have no box of their class and are left out", place, bare)


def _parts(key: str, place: str) -> tuple[str, str, str]:
    """Class, name and recording of a video."""
    parts = _KEY.fullmatch(key)
    if parts is None:
        raise UsageError(f"{place}: {key!a} is not CLASS/v_CLASS_gXX_cYY")
    return parts[1], parts[2], parts[3]


def _number(name: str, names: Sequence[str]) -> int | None:
    return names.index(name) if name in names else None


def _contents(data: Any, place: str, fold: int) -> tuple[Sequence[str], Tubes, Splits]:
    """Classes, tubes by video, and splits by video, of any of the three files."""
    if isinstance(data, dict) and "gttubes" in data:
        return _of_tubes(data, place, fold)
    if isinstance(data, dict) and "db" in data:
        train = frozenset(_texts(data.get("trainvideos"), place))
        names, found, _ = _of_segments(data["db"], place)
        return names, found, {key: "train" if key in train else "test" for key in found}
    return _of_segments(data, place)


def _of_segments(data: Any, place: str) -> tuple[Sequence[str], Tubes, Splits]:
    found: Tubes = {}
    for key, video in _videos(data, place):
        where = f"{place}: {key}"
        if not isinstance(video, dict) or "annotations" not in video:
            raise UsageError(f"{where} is no object with annotations")
        found[key] = list(tubes.of_segments(video["annotations"], where))
    return CLASSES, found, {}


def _of_tubes(data: dict[str, Any], place: str, fold: int) -> tuple[Sequence[str], Tubes, Splits]:
    names = _texts(data.get("labels"), place)
    found = {
        key: list(tubes.of_tubes(video, f"{place}: {key}"))
        for key, video in _videos(data["gttubes"], place)
    }
    splits: dict[str, str] = {}
    for split in ("train", "test"):
        parts = data.get(f"{split}_videos")
        if not isinstance(parts, list) or len(parts) < fold:
            raise UsageError(f"{place} has no {split}_videos of split {fold}: --fold says which")
        splits |= dict.fromkeys(_texts(parts[fold - 1], place), split)
    return names, found, splits


def _videos(data: Any, place: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise UsageError(f"{place} is neither pyannot.pkl nor UCF101v2-GT.pkl")
    return iter(data.items())


def _texts(found: Any, place: str) -> list[str]:
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise UsageError(f"{place}: its classes, or the videos of a split, are no list of names")
    return found


def _listed(places: Sequence[str]) -> dict[str, str | None]:
    """The split of each name in lists: the first word of a line, which may have folders."""
    return {
        stem_of(line.split()[0]): split_of_file(place)
        for place in places
        for line, _ in lines_of(place)
    }
