"""Which file is the clip that an annotation names."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence

from sbtools.errors import ClipError
from sbtools.index import folder
from sbtools.index.annotation import Annotated, Recording, names_of, split_name, stem_of
from sbtools.index.folder import Found
from sbtools.index.labels import key_of_label
from sbtools.video.folder import STILL_SUFFIXES, ZIP_SUFFIX, suffix_of


class Files:
    """The videos, frame folders, zips and, with `stills`, images below the INPUTs, by bare name.

    Names are compared as strings: nothing in them is a pattern.
    """

    def __init__(
        self, inputs: Sequence[str], clips: Iterable[Annotated], stills: bool = False
    ) -> None:
        self.inputs = list(inputs)
        self.unnamed = 0
        self._by_stem: dict[str, list[Found]] = defaultdict(list)
        self._by_end: dict[tuple[str, int], dict[tuple[str, ...], list[Found]]] = {}
        wanted = {name for clip in clips for name in names_of(clip)}
        for found in folder.find(self.inputs, stills):
            stem = _stem(found)
            if stem in wanted:
                self._by_stem[stem].append(found)
            else:
                self.unnamed += 1

    def find(self, clip: Annotated) -> tuple[Found, Recording | None]:
        """The clip's file, and where in it the clip lies when it is the uncut recording.

        Of several, the one whose path is most like the annotation's: its folders, then the label,
        the split and the suffix; then a video before its zip or image. ClipError missing when there
        is none, mismatch when two are as good.
        """
        for name in names_of(clip):
            found = self._by_stem.get(name, [])
            if clip.exact:
                found = self._ending(name, _parts(clip.path))
            if found:
                cut = clip.recording if clip.recording and name == clip.recording.name else None
                return _best(found, clip), cut
        where = ", ".join(self.inputs)
        name = clip.path if clip.exact else stem_of(clip.path)
        raise ClipError("missing", f"there is no video '{name}' under {where}")

    def holds(self, clip: Annotated) -> bool:
        """Whether a file has the name of the clip, be it the only one or not."""
        return bool(self._by_stem.get(stem_of(clip.path)))

    def _ending(self, name: str, parts: list[str]) -> list[Found]:
        """The files of this name whose path ends in these parts."""
        found = self._by_stem.get(name, [])
        if len(found) < 2:
            return [each for each in found if _end(each, len(parts)) == tuple(parts)]
        key = name, len(parts)
        if key not in self._by_end:
            self._by_end[key] = defaultdict(list)
            for each in found:
                self._by_end[key][_end(each, len(parts))].append(each)
        return self._by_end[key].get(tuple(parts), [])

    def expected(self, clip: Annotated) -> str:
        """Where a clip that is missing would be."""
        return os.path.join(self.inputs[0], clip.path)


def _stem(found: Found) -> str:
    if os.path.isdir(found.path):
        return os.path.basename(os.path.abspath(found.path))
    return stem_of(found.path)


def _best(found: Sequence[Found], clip: Annotated) -> Found:
    ranked = sorted(found, key=lambda each: _likeness(each, clip), reverse=True)
    best = ranked[0]
    for other in ranked[1:]:
        if _likeness(other, clip) == _likeness(best, clip) and not _same(best, other):
            raise ClipError(
                "mismatch", f"two files are called like it, {best.path} and {other.path}"
            )
    return best


def _likeness(found: Found, clip: Annotated) -> tuple[int, bool, bool, bool, bool]:
    folders = os.path.abspath(found.path).split("/")[:-1]
    label = clip.label is not None and key_of_label(clip.label) in map(key_of_label, folders)
    split = clip.split is not None and clip.split in map(split_name, folders)
    own = suffix_of(found.path)
    packed = (own == ZIP_SUFFIX or own in STILL_SUFFIXES) and not os.path.isdir(found.path)
    return _tail(found, clip), label, split, own == suffix_of(clip.path), not packed


def _tail(found: Found, clip: Annotated) -> int:
    """How many parts, from the last, the two paths share; the suffix of the video aside."""
    count = 0
    there = _parts(os.path.abspath(found.path))
    for one, other in zip(reversed(_parts(clip.path)), reversed(there), strict=False):
        if one != other:
            break
        count += 1
    return count


def _end(found: Found, length: int) -> tuple[str, ...]:
    return tuple(_parts(os.path.abspath(found.path))[-length:])


def _parts(path: str) -> list[str]:
    *folders, _ = os.path.normpath(path).split("/")
    return [*folders, stem_of(path)]


def _same(one: Found, other: Found) -> bool:
    try:
        return os.path.samefile(one.path, other.path)
    except OSError:
        return False
