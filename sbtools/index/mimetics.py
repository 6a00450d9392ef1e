"""Mimetics: Kinetics' table, and what its authors noted of each clip and of each class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sbtools.errors import UsageError
from sbtools.index import kinetics
from sbtools.index.annotation import Annotated, lines_of, stem_of
from sbtools.index.labels import Labels, key_of_label

Notes = dict[str, dict[str, str]]

_OF_CLIP = {"object": "object_shown", "scene": "scene_shown", "mime": "mime"}
_OF_CLASS = {"object": "class_object", "scene": "class_scene"}


def read(places: Sequence[str], labels: Labels | None, fold: int) -> Iterator[Annotated]:
    """The clips of the table; the files of notes, where they are given too, add fields.

    mimetics_v1.0_objectsceneannot.txt: `object_shown`, `scene_shown` and `mime`, yes or no;
    mimetics_v1.0_clsannot.txt: `class_object` (large, medium, small or no) and `class_scene`.
    """
    of_clip: Notes = {}
    of_class: Notes = {}
    tables = []
    for place in places:
        first = "" if place.endswith(".csv") else next((line for line, _ in lines_of(place)), "")
        if first.startswith("#video"):
            of_clip |= {stem_of(name): notes for name, notes in _notes(place, _OF_CLIP)}
        elif first.startswith("#label"):
            of_class |= {key_of_label(name): notes for name, notes in _notes(place, _OF_CLASS)}
        else:
            tables.append(place)
    if not tables:
        raise UsageError("the clips of Mimetics are in mimetics_v1.0.csv: add it to --annotations")
    for clip in kinetics.read(tables, labels, fold):
        fields = {**of_clip.get(clip.id, {}), **of_class.get(key_of_label(clip.label or ""), {})}
        yield replace(clip, fields=fields)


def _notes(place: str, names: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    (header, _), *rows = lines_of(place)
    columns = header.split()[1:]
    for line, where in rows:
        name, *values = line.split()
        if len(values) != len(columns):
            raise UsageError(f"{where}: {len(values)} columns behind '{name}', not {len(columns)}")
        notes = zip(columns, values, strict=True)
        yield name, {names[column]: value for column, value in notes if column in names}
