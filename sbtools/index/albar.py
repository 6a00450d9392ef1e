"""ALBAR's sets, folders that are their own lists: UCF-CRCV/ALBAR c6751fa, multi_dataset_dl.py."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sbtools.errors import UsageError
from sbtools.index import benchmarks
from sbtools.index.annotation import Annotated, stem_of, text_of
from sbtools.index.labels import Labels
from sbtools.index.originals import original_of
from sbtools.video.folder import STILL_SUFFIXES, ZIP_SUFFIX, suffix_of

Classes = dict[str, int | str]


def read(places: Sequence[str], labels: Labels | None, folder: str) -> Iterator[Annotated]:
    """The clips of a folder DATASET_SCUBA_Stripe: zips of frames, of SCUFO images, by name.

    The class of UCF101 and HMDB51 stands in the name; that of Kinetics is in a table with the
    columns filename and label, which `places` names: a number, from 0, or a name in a column class.
    """
    variant, kind = benchmarks.variant_of(folder), benchmarks.kind_of(folder)
    table = {name: label for place in places for name, label in _rows(place)}
    for name in _names(folder, variant):
        path = os.path.join(folder, name)
        label = _label(path, table, labels)
        clip = benchmarks.composite(name, path, label, variant, kind)
        part = "val" if clip.fields["dataset"] == "kinetics400" else "test"
        yield replace(clip, split=part, exact=True, still=variant == "scufo")


def _names(folder: str, variant: str) -> list[str]:
    wanted = STILL_SUFFIXES | {""} if variant == "scufo" else {ZIP_SUFFIX}
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        raise UsageError(f"{folder} cannot be listed: {error.strerror}") from None
    found = [name for name in names if suffix_of(name) in wanted]
    if not found:
        what = "image" if variant == "scufo" else "zip"
        raise UsageError(f"{folder}: there is no {what} in it: is it a folder of {variant}?")
    return found


def _label(path: str, table: Classes, labels: Labels | None) -> str:
    """By the name, else by the table: its rows have the name of the clip, or of its original."""
    original = original_of(stem_of(path))
    if original and original.label:
        return labels.spelled(original.label, path) if labels else original.label
    names = (stem_of(path), original.id if original else "")
    label = next((table[name] for name in names if name in table), None)
    if label is None:
        raise UsageError(
            f"{path}: its name does not say its class: give --annotations the table with the "
            "columns filename and label, such as k400_val_labels.csv"
        )
    if isinstance(label, str):
        return labels.spelled(label, path) if labels else label.replace("_", " ")
    if labels is None:
        raise UsageError(f"{path}: classes are numbers: --labels FILE names them")
    return labels.numbered(label, path)


def _rows(place: str) -> Iterator[tuple[str, int | str]]:
    rows = csv.DictReader(io.StringIO(text_of(place), newline=""))
    if not {"filename", "label"} <= set(rows.fieldnames or ()):
        raise UsageError(f"{place} is no table with the columns filename and label")
    for row in rows:
        name, label, word = row["filename"], row["label"] or "", row.get("class")
        if not name or not (word or re.fullmatch(r"\d{1,9}", label)):
            raise UsageError(f"{place}:{rows.line_num}: no filename, or a label that is no number")
        yield stem_of(name), word or int(label)
