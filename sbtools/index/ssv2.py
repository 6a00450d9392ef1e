"""Something-Something v2: the official JSON files, the answers of the test set, and lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sbtools.errors import UsageError
from sbtools.index import lists
from sbtools.index.annotation import Annotated, json_of, lines_of, stem_of, text_of
from sbtools.index.labels import Labels

_SLOT = re.compile(r"\[([^\]]*)\]")


def read(places: Sequence[str], labels: Labels | None, fold: int) -> Iterator[Annotated]:
    """The clips of train.json, validation.json, test.json, test-answers.csv, and of lists.

    The label is the template without its brackets; the placeholders become `objects`.
    """
    for place in places:
        if re.match(r"\d+;", text_of(place)[:64]):
            yield from _answers(place, labels)
        elif _is_official(place):
            yield from _official(place, labels)
        else:
            yield from _list(place, labels)


def class_of(template: str) -> str:
    """The class of a template: "Putting [number of] [something]" without the brackets."""
    return template.replace("[", "").replace("]", "")


def objects_of(template: str, placeholders: Sequence[str]) -> list[str]:
    """What the placeholders name, in their order, each once.

    They fill the template's brackets in turn; what fills [number of] is no object.
    """
    slots = _SLOT.findall(template)
    if len(slots) != len(placeholders):
        slots = [""] * len(placeholders)
    pairs = zip(slots, placeholders, strict=True)
    words = [" ".join(words.split()) for slot, words in pairs if slot.lower() != "number of"]
    return list(dict.fromkeys(filter(None, words)))


def _is_official(place: str) -> bool:
    return place.endswith(".json") and '"id"' in text_of(place)[:4096]


def _official(place: str, labels: Labels | None) -> Iterator[Annotated]:
    items = json_of(place)
    if not isinstance(items, list):
        raise UsageError(f"{place} is no list of clips: the file of the classes goes to --labels")
    for number, item in enumerate(items):
        yield _clip(item, place, f"{place}, item {number}", labels)


def _clip(item: Any, place: str, where: str, labels: Labels | None) -> Annotated:
    if not isinstance(item, dict) or not re.fullmatch(r"\d+", str(item.get("id"))):
        raise UsageError(f"{where}: not an object with a number as id")
    template, words = item.get("template"), item.get("placeholders", [])
    strings = isinstance(words, list) and all(isinstance(word, str) for word in words)
    if not isinstance(template, (str, type(None))) or not strings:
        raise UsageError(f"{where}: template must be a string, placeholders a list of strings")
    name = str(item["id"])
    if template is None:
        return Annotated(name, f"{name}.webm", place)
    label = class_of(template)
    objects = objects_of(template, words)
    return Annotated(
        name, f"{name}.webm", place, labels.spelled(label, where) if labels else label,
        fields={"objects": objects} if objects else {},
    )  # fmt: skip


def _answers(place: str, labels: Labels | None) -> Iterator[Annotated]:
    for line, where in lines_of(place):
        name, separator, label = line.partition(";")
        if not separator or not name.isdigit():
            raise UsageError(f"{where}: not 'id;label'")
        label = class_of(label.strip())
        yield Annotated(
            name, f"{name}.webm", place, labels.spelled(label, where) if labels else label
        )


def _list(place: str, labels: Labels | None) -> Iterator[Annotated]:
    found = lists.entries(place)
    lists.warn_of_other_labels(found, labels)
    for entry in found:
        yield Annotated(
            stem_of(entry.path), entry.path, place, lists.label_of(entry, labels)
        )  # fmt: skip
