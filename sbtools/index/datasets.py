"""Official data sets to records: what their annotation files name, held against the files."""

from __future__ import annotations

import logging
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sbtools import records
from sbtools.errors import ClipError, UsageError
from sbtools.index import labels as label_files
from sbtools.index.annotation import Annotated, split_name, split_of_file
from sbtools.index.files import Files
from sbtools.records import Record
from sbtools.registry import load

log = logging.getLogger("sbtools")

DATASETS = {
    "kinetics400": "sbtools.index.kinetics:read",
    "kinetics600": "sbtools.index.kinetics:read",
    "kinetics700": "sbtools.index.kinetics:read",
    "mimetics": "sbtools.index.mimetics:read",
    "ssv2": "sbtools.index.ssv2:read",
    "hmdb51": "sbtools.index.hmdb51:read",
    "ucf101": "sbtools.index.ucf101:read",
    "ucf101-24": "sbtools.index.ucf101_24:read",
    "jhmdb": "sbtools.index.hmdb51:read",
    "diving48": "sbtools.index.diving48:read",
    "aras": "sbtools.index.aras:read",
    "afd": "sbtools.index.afd:read",
    "utd": "sbtools.index.utd:read",
    "stillmix": "sbtools.index.stillmix:read",
    "devias": "sbtools.index.devias:read",
    "albar": "sbtools.index.albar:read",
    "hat": "sbtools.index.hat:read",
    "list": "sbtools.index.lists:read",
}

BENCHMARKS = {"stillmix", "devias", "albar", "hat"}
"""Those whose clips depend on the INPUT: a reader of these gets its path in place of the fold."""

WITHOUT_ANNOTATIONS = {"albar"}
"""Those whose INPUT is its own list."""


@dataclass(frozen=True)
class DatasetQuery:
    """Which clips of a data set: its annotation files, and which split of them.

    `labels` names the file of class names. `fold` is which of the three official splits of HMDB51,
    UCF101 and JHMDB. With `stills` images are taken for clips.
    """

    dataset: str
    annotations: tuple[str, ...]
    labels: str | None = None
    split: str | None = None
    fold: int = 1
    stills: bool = False


def annotated(asked: DatasetQuery, folder: str = "") -> list[Annotated]:
    """The clips that the annotation files name, in their order, with ids that are unique.

    Of a benchmark, those of the INPUT `folder`.

    A line that repeats a clip is left out, with a warning. `split` selects where the lines say one,
    and is what all clips get where they do not; without it a file's name may tell. UsageError for
    files that are not what they should be, and where no clip is of the split.
    """
    names = label_files.read(asked.labels) if asked.labels else None
    read = load(DATASETS[asked.dataset])
    where = folder if asked.dataset in BENCHMARKS else asked.fold
    clips = list(_distinct(read(asked.annotations, names, where)))
    if not clips:
        raise UsageError(f"{', '.join(asked.annotations)}: there is no clip in it")
    if any(clip.lists for clip in clips):
        return _of_list(clips, asked.split)
    stated = Counter(clip.split for clip in clips)
    wanted = split_name(asked.split) if asked.split else None
    if wanted is None:
        _tell_unused(stated["unused"])
        return [_with_split(clip) for clip in clips if clip.split != "unused"]
    if set(stated) == {None}:
        return [replace(clip, split=wanted) for clip in clips]
    chosen = [clip for clip in clips if clip.split == wanted]
    if not chosen:
        there = ", ".join(sorted(filter(None, stated)))
        raise UsageError(f"there is no split '{wanted}'; there are {there}")
    return chosen


def _of_list(clips: Iterable[Annotated], name: str | None) -> list[Annotated]:
    chosen = [replace(clip, split=name) for clip in clips if name in clip.lists]
    if not chosen:
        there = ", ".join(dict.fromkeys(each for clip in clips for each in clip.lists))
        raise UsageError(f"--split is one of the lists {there}, not {name or 'nothing'}")
    return chosen


def to_records(asked: DatasetQuery, inputs: Sequence[str], root: os.PathLike[str]) -> list[Record]:
    """A record for every clip that is named; of those without a file, with the error missing."""
    each = asked.dataset in BENCHMARKS
    folders = [[folder] for folder in inputs] if each else [inputs]
    parts = [_of_folders(asked, folder, root) for folder in folders]
    _refuse_same(parts, inputs)
    out = [record for part in parts for record in part]
    missing = sum("error" in record for record in out)
    if missing:
        log.warning("%d of %d clips have no file: %s", missing, len(out), _share(missing, out))
    return out


def _of_folders(
    asked: DatasetQuery, folders: Sequence[str], root: os.PathLike[str]
) -> list[Record]:
    clips = annotated(asked, folders[0])
    behind = dict.fromkeys(filter(None, (clip.fields.get("background_id") for clip in clips)))
    others = [Annotated(id, id, "") for id in behind]
    stills = asked.stills or any(clip.still for clip in clips)
    files = Files(folders, [*clips, *others], stills)
    out = [_record(clip, files, asked.dataset, root) for clip in clips]
    absent = [clip.id for clip in others if not files.holds(clip)]
    if absent:
        log.warning("%d backgrounds are missing in %s, the first is %s",
                    len(absent), folders[0], absent[0])  # fmt: skip
    if files.unnamed:
        log.info("%d videos are not named in the annotations, and left out", files.unnamed)
    return out


def _refuse_same(parts: Sequence[Sequence[Record]], inputs: Sequence[str]) -> None:
    """Two INPUTs of a benchmark that hold the same set."""
    seen: dict[str, str] = {}
    for part, folder in zip(parts, inputs, strict=False):
        for id in {record["id"] for record in part}:
            if seen.setdefault(id, folder) != folder:
                raise UsageError(f"{seen[id]} and {folder} both have {id}: give one of the two")


def _share(missing: int, out: Sequence[Record]) -> str:
    if missing == len(out):
        return "is INPUT the folder of this data set?"
    return f"--max-failed {math.ceil(1000 * missing / len(out)) / 10}% would let that pass"


def _with_split(clip: Annotated) -> Annotated:
    return clip if clip.split else replace(clip, split=split_of_file(clip.origin))


def _tell_unused(count: int) -> None:
    if count:
        log.info("%d clips are in neither part of this split (--split unused lists them)", count)


def _distinct(clips: Iterable[Annotated]) -> Iterator[Annotated]:
    seen: dict[str, list[Annotated]] = {}
    again = 0
    for clip in clips:
        others = seen.setdefault(clip.id, [])
        if any((other.path, other.label, other.split) == (clip.path, clip.label, clip.split)
               for other in others):  # fmt: skip
            again += 1
            continue
        others.append(clip)
        if len(others) == 1:
            yield clip
            continue
        fresh = f"{clip.id}#{len(others)}"
        log.warning(
            "%s is there twice, with another path, label or split: the second is called %s",
            clip.id,
            fresh,
        )
        yield replace(clip, id=fresh)
    if again:
        log.warning("%d lines repeat a clip and are left out", again)


def _record(clip: Annotated, files: Files, dataset: str, root: os.PathLike[str]) -> Record:
    flaw: ClipError | None = None
    cut = None
    try:
        found, cut = files.find(clip)
        path, flaw = found.path, found.flaw
    except ClipError as error:
        path, flaw = files.expected(clip), error
    record: Record = {"id": clip.id, "video": records.relative(path, os.fspath(root))}
    if clip.label is not None:
        record["label"] = clip.label
    record["source"] = clip.source or clip.id
    if dataset != "list":
        record["dataset"] = dataset
    if clip.split:
        record["split"] = clip.split
    if cut:
        record |= {"start": cut.start, "end": cut.end}
    record |= clip.fields
    return records.fail(record, "index", flaw) if flaw else record
