"""What annotation files have in common: lines of text, splits, and what they say of a clip."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sbtools.errors import UsageError
from sbtools.video.folder import STILL_SUFFIXES, VIDEO_SUFFIXES, ZIP_SUFFIX, suffix_of

_SPLITS = {"training": "train", "validate": "val", "validation": "val", "testing": "test"}
_SPLIT_WORDS = re.compile("train|val|test")
_SUFFIXES = VIDEO_SUFFIXES | STILL_SUFFIXES | {ZIP_SUFFIX}


@dataclass(frozen=True)
class Recording:
    """The uncut recording of a clip: its file's name without suffix, and seconds in it."""

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class Annotated:
    """What an annotation file says of one clip.

    `path` names the video as the annotation does; `others` are names without suffix that the file
    may have instead. Where `exact`, only a file at the end of whose path all of `path` stands is
    the clip; otherwise its name is enough, in whatever folder it lies. `split` is what the line
    itself says, `origin` the file that it stands in, `fields` what else the record is to hold. An
    image is found for it where it is `still`. `lists` are the lists of one file that it stands in,
    where each of them is a choice of clips.
    """

    id: str
    path: str
    origin: str
    label: str | None = None
    split: str | None = None
    source: str | None = None
    others: tuple[str, ...] = ()
    recording: Recording | None = None
    exact: bool = False
    still: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict)
    lists: tuple[str, ...] = ()


def names_of(clip: Annotated) -> list[str]:
    """The names without suffix that the clip's file may have, the likeliest first."""
    last = [clip.recording.name] if clip.recording else []
    return list(dict.fromkeys([stem_of(clip.path), *clip.others, *last]))


def stem_of(path: str) -> str:
    """The name of a video, a zip or an image without folders and suffix; of a folder, its name."""
    name = os.path.basename(path.rstrip("/"))
    return os.path.splitext(name)[0] if suffix_of(name) in _SUFFIXES else name


def text_of(path: str) -> str:
    """The text of an annotation file; UsageError when it cannot be read.

    A byte order mark is dropped; bytes that are no UTF-8, as file names may have, are kept.
    """
    try:
        with open(path, "rb") as stream:
            return stream.read().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def json_of(path: str) -> Any:
    """The JSON of a file; UsageError for what is none."""
    try:
        return json.loads(text_of(path))
    except RecursionError:
        raise UsageError(f"{path} is nested too deeply") from None
    except ValueError as error:
        raise UsageError(f"{path} is no JSON: {error}") from None


def lines_of(path: str) -> Iterator[tuple[str, str]]:
    """Every line that is not blank, without spaces around it, and "FILE:NUMBER" for messages."""
    for number, line in enumerate(text_of(path).split("\n"), 1):
        if bare := line.strip():
            yield bare, f"{path}:{number}"


def cells_of(line: str, mark: str, where: str) -> list[str]:
    """The cells of the first line of a table; UsageError where one is too long to be of any."""
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=mark), [""])]
    except csv.Error as error:
        raise UsageError(f"{where}: {error}") from None


def word_of_column(cell: str) -> str:
    """The name of a column in lower case, without spaces, - and _: class_name is className."""
    return re.sub(r"[\s_-]", "", cell).lower()


def split_name(written: str) -> str:
    """The split as records name it: validate and validation are val."""
    name = written.strip().lower()
    return _SPLITS.get(name, name)


def split_of_file(path: str) -> str | None:
    """The split that a file's name tells, as base_s1_train.txt does; None where it is not one."""
    found = set(_SPLIT_WORDS.findall(os.path.basename(path).lower()))
    return found.pop() if len(found) == 1 else None
