"""Folders of videos, of frame folders, zips and images; single files and lists of files."""

from __future__ import annotations

import logging
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from sbtools import records
from sbtools.errors import ClipError, UsageError
from sbtools.index import lists, paths, zips
from sbtools.index.labels import Labels
from sbtools.index.lists import Entry
from sbtools.index.paths import Listing
from sbtools.records import Record
from sbtools.video.folder import (
    IMAGE_SUFFIXES,
    STILL_SUFFIXES,
    VIDEO_SUFFIXES,
    ZIP_SUFFIX,
    is_frame_folder,
    suffix_of,
)
from sbtools.video.source import is_picture, open_regular

log = logging.getLogger("sbtools")


@dataclass(frozen=True)
class Found:
    """A clip: its path as given, its name under the INPUT, and why it cannot be read.

    entry: its line in a list that tells classes.
    """

    path: str
    name: str
    source: str
    flaw: ClipError | None = None
    entry: Entry | None = None


def find(inputs: Iterable[str], stills: bool = False, root: str = "") -> Iterator[Found]:
    """The clips of every INPUT, a file or a folder, in the order of their names.

    In a folder the suffix says what is a video; a file that is named outright is always a clip,
    except a list (.txt, .list, .lst, .csv, .tsv), which names a file or a frame folder on each
    line, perhaps with its class: see `sbtools.index.paths`, which tells what `root` is for.
    A folder of two or more numbered images is one clip, and so is a zip of them. With `stills` each
    image in a folder is a clip, also one without a suffix, and no folder is. Links are followed,
    each folder once.
    """
    for path in inputs:
        name = os.path.basename(os.path.abspath(path))
        if os.path.isdir(path):
            yield from _Walk(path, name, stills).clips()
        elif suffix_of(path) in paths.SUFFIXES:
            yield from listed(paths.read(path, root), path)
        else:
            yield Found(path, name, os.path.basename(os.path.dirname(os.path.abspath(path))))


def listed(listing: Listing, path: str) -> Iterator[Found]:
    """The clips of the list `path`; their names are taken from the folder that all share."""
    if not listing.entries:
        return
    if listing.under:
        log.info("%s: its relative paths begin in %s", path, os.path.abspath(listing.under))
    places = [os.path.join(listing.under, entry.path) for entry in listing.entries]
    folders = [os.path.dirname(os.path.abspath(place)) for place in places]
    shared = os.path.commonpath(folders)
    source = os.path.basename(path)
    for place, entry in zip(places, listing.entries, strict=True):
        told = entry if listing.labelled else None
        yield Found(place, os.path.relpath(os.path.abspath(place), shared), source, entry=told)


class _Walk:
    """One pass over an INPUT folder."""

    def __init__(self, top: str, name: str, stills: bool) -> None:
        self.top, self.name, self.stills = top, name, stills
        self.suffixes = VIDEO_SUFFIXES | STILL_SUFFIXES if stills else VIDEO_SUFFIXES
        self.seen: set[tuple[int, int]] = set()
        self.others: Counter[str] = Counter()

    def clips(self) -> Iterator[Found]:
        yield from self._folder(self.top, "")
        if self.others:
            kinds = ", ".join(f"{count} {kind}" for kind, count in self.others.most_common(5))
            log.info("%s: left out, as they are no videos: %s", self.top, kinds)

    def _folder(self, path: str, name: str) -> Iterator[Found]:
        try:
            state = os.stat(path)
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError as error:
            flaw = ClipError("unreadable", f"cannot list {path}: {error.strerror}")
            yield Found(path, name or self.name, self.name, flaw)
            return
        if (state.st_dev, state.st_ino) in self.seen:
            log.warning("%s: this folder was listed already under another name", path)
            return
        self.seen.add((state.st_dev, state.st_ino))
        entries = [entry for entry in entries if not entry.name.startswith(".")]
        if not self.stills:
            yield from self._images(path, name, entries)
        named = [entry.path for entry in entries if suffix_of(entry.name) == ZIP_SUFFIX]
        frames = zips.clips(filter(os.path.isfile, named))
        for entry in entries:
            yield from self._entry(entry, os.path.join(name, entry.name), entry.path in frames)

    def _images(self, path: str, name: str, entries: list[os.DirEntry[str]]) -> Iterator[Found]:
        if is_frame_folder(path):
            yield Found(path, name or self.name, self.name)
        elif images := sum(suffix_of(entry.name) in IMAGE_SUFFIXES for entry in entries):
            log.warning("%s: %d images, not named as frames are (one prefix and a number); "
                        "`sbtools index --stills` makes each a clip", path, images)  # fmt: skip

    def _entry(self, entry: os.DirEntry[str], name: str, frames: bool) -> Iterator[Found]:
        suffix = suffix_of(entry.name)
        try:
            folder = entry.is_dir()
        except OSError:
            folder = False
        if folder:
            yield from self._folder(entry.path, name)
        elif entry.is_symlink() and not os.path.exists(entry.path):
            flaw = ClipError("missing", f"{entry.path} is a link to nothing, or to itself")
            yield Found(entry.path, name, self.name, flaw)
        elif frames or suffix in self.suffixes or self._bare_picture(entry.path, suffix):
            yield Found(entry.path, name, self.name)
        elif suffix not in IMAGE_SUFFIXES:
            self.others[suffix or "without suffix"] += 1

    def _bare_picture(self, path: str, suffix: str) -> bool:
        if not self.stills or suffix:
            return False
        try:
            with open_regular(path) as file:
                return is_picture(file.read(16))
        except (ClipError, OSError):
            return False


def to_records(
    found: Iterable[Found], root: os.PathLike[str], label_from: str, labels: Labels | None = None
) -> list[Record]:
    """A record for each clip: id, video, label (the folder it lies in, or what its list says),
    source.

    The id is the name under its INPUT without suffix; where two clips would share it, each
    keeps its suffix, and where that does not part them, the INPUT's name stands before it.
    `labels` are the names of the numbers in lists, and how names are spelled. UsageError for a
    number without them, or that they have not, and for a class that a line of a list lacks.
    """
    clips = list(found)
    if label_from != "none":
        _look_at(clips, labels)
    return [
        _record(clip, identity, root, label_from, labels)
        for clip, identity in zip(clips, _ids(clips), strict=True)
    ]


def _look_at(clips: Iterable[Found], labels: Labels | None) -> None:
    """The classes of lists, before they are read."""
    entries = [clip.entry for clip in clips if clip.entry]
    if labels and not entries:
        raise UsageError(
            f"--labels {labels.where} goes with --dataset, or with a list that has classes"
        )
    for entry in entries:
        if entry.label is None:
            raise UsageError(
                f"{entry.where} has no class, though other lines have one: give it one, or -1 for "
                "none, or add --label-from none"
            )
        if isinstance(entry.label, int) and entry.label != lists.NONE and labels is None:
            raise UsageError(
                f"{entry.where}: classes are numbers: name them by sbtools index --labels FILE, or "
                "leave them out by --label-from none"
            )
    for _, group in groupby(entries, key=lambda entry: entry.where.rpartition(":")[0]):
        lists.warn_of_other_labels(list(group), labels)
    without = sum(entry.label == lists.NONE for entry in entries)
    if without:
        log.warning("%d of %d lines of lists have no class", without, len(entries))


def _ids(clips: Sequence[Found]) -> list[str]:
    plain = _plain(clips)
    with_suffix = _parted(plain, [clip.name for clip in clips])
    with_input = _parted(with_suffix, [os.path.join(clip.source, clip.name) for clip in clips])
    return _numbered(with_input)


def _plain(clips: Sequence[Found]) -> list[str]:
    """Names without suffix; a zip or an image leaves its bare name to a video that has it, too."""
    names = [_without(VIDEO_SUFFIXES, clip) for clip in clips]
    taken = set(names)
    bare = [_without(STILL_SUFFIXES | {ZIP_SUFFIX}, clip) for clip in clips]
    return [
        shorter if shorter != clip.name and shorter not in taken else name
        for clip, name, shorter in zip(clips, names, bare, strict=True)
    ]


def _without(suffixes: frozenset[str], clip: Found) -> str:
    stem, suffix = os.path.splitext(clip.name)
    return stem if suffix.lower() in suffixes and not os.path.isdir(clip.path) else clip.name


def _parted(names: Sequence[str], longer: Sequence[str]) -> list[str]:
    """Each name that is taken twice, directly or after the change, gives way to its longer form."""
    current = list(names)
    while True:
        places = defaultdict(list)
        for place, name in enumerate(current):
            places[name].append(place)
        clashing = [p for same in places.values() if len(same) > 1 for p in same]
        changing = [p for p in clashing if current[p] != longer[p]]
        if not changing:
            return current
        for place in changing:
            current[place] = longer[place]


def _numbered(names: Sequence[str]) -> list[str]:
    """The last resort, for one file named twice: "#2" and so on behind the later ones."""
    counts: Counter[str] = Counter()
    taken, out = set(names), []
    for name in names:
        counts[name] += 1
        fresh = name
        while counts[name] > 1 and fresh in taken:
            fresh = f"{name}#{counts[name]}"
            counts[name] += fresh in taken
        taken.add(fresh)
        out.append(fresh)
    return out


def _record(
    clip: Found, identity: str, root: os.PathLike[str], label_from: str, labels: Labels | None
) -> Record:
    record: Record = {"id": identity, "video": records.relative(clip.path, os.fspath(root))}
    label = _label(clip, labels) if label_from == "folder" else None
    if label:
        record["label"] = label
    record["source"] = identity
    return record if clip.flaw is None else records.fail(record, "index", clip.flaw)


def _label(clip: Found, labels: Labels | None) -> str | None:
    if clip.entry:
        return lists.label_of(clip.entry, labels)
    return os.path.basename(os.path.dirname(clip.name))
