"""Class names: their numbers, and one spelling for all the ways they are written."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

from sbtools import records
from sbtools.errors import UsageError
from sbtools.index.annotation import json_of, lines_of

Pairs = Iterable[tuple[int, str]]


def key_of_label(name: str) -> str:
    """Letters and digits alone, in lower case: what all spellings of a class name share.

    "brush_hair" and "brush hair", "[Something] falling" and "Something falling", "punching person
    (boxing)" and the folder "punching_person_boxing" are equal so.
    """
    return "".join(filter(str.isalnum, name.casefold()))


class Labels:
    """The class names of a file, by number and by name, in the order of their numbers."""

    def __init__(self, pairs: Pairs, where: str) -> None:
        self.where = where
        self.by_number: dict[int, str] = {}
        self._by_key: dict[str, str] = {}
        for number, name in pairs:
            if number in self.by_number:
                raise UsageError(f"{where}: number {number} stands twice")
            if key_of_label(name) in self._by_key:
                raise UsageError(f"{where}: class '{name}' stands twice")
            self.by_number[number] = self._by_key[key_of_label(name)] = name
        if not self.by_number:
            raise UsageError(f"{where}: there is no class name in it")

    @property
    def names(self) -> list[str]:
        """The names, ordered by number."""
        return [name for _, name in sorted(self.by_number.items())]

    def numbered(self, number: int, where: str) -> str:
        """The name of a number; UsageError when there is none."""
        if number not in self.by_number:
            low, high = min(self.by_number), max(self.by_number)
            raise UsageError(
                f"{where}: number {number} is no class of {self.where} ({low} to {high}): "
                "give the --labels that the list was made with"
            )
        return self.by_number[number]

    def get(self, name: str) -> str | None:
        """The name as this file spells it; None when it is not there."""
        return self._by_key.get(key_of_label(name))

    def spelled(self, name: str, where: str) -> str:
        """The name as this file spells it; UsageError when it is not there."""
        found = self.get(name)
        if found is None:
            raise UsageError(f"{where}: class '{name}' is not in {self.where}")
        return found


def read(path: str) -> Labels:
    """The class names of a file, whichever form it has.

    A name a line, numbered from 0; "1 ApplyEyeMakeup" or "1,ApplyEyeMakeup"; a table (.csv) with
    the columns id and name, or with a column label, whose classes are numbered as they come; an
    object {name: number} (.json), or {"classes": such an object}, or a list of names, each a string
    or the words of one, numbered from 0; or records (.jsonl), whose labels are taken in the order
    of the alphabet. UsageError for anything else, and for a name or a number that stands twice.
    """
    if path.endswith(".jsonl"):
        return Labels(enumerate(sorted(_labels_of_records(path))), path)
    if path.endswith(".json"):
        return Labels(_pairs_of_json(path), path)
    lines = [line for line, _ in lines_of(path)]
    return Labels(_pairs(lines, path), path)


def listed(text: str) -> Labels:
    """Class names as an option gives them: a file, or the names with commas between them.

    UsageError for a file that is not there, and for what `read` refuses.
    """
    if _is_file(text):
        if not os.path.lexists(text):
            raise UsageError(
                f"there is no file {text}: classes are a file with a name in each line, or names "
                "with commas, as in walk,wave"
            )
        return read(text)
    names = [name.strip() for name in text.split(",")]
    return Labels(enumerate(filter(None, names)), f"'{text}'")


def _is_file(text: str) -> bool:
    return "/" in text or re.search(r"\.(?:txt|csv|json|jsonl|lst|list)$", text) is not None


def _labels_of_records(path: str) -> set[str]:
    try:
        with open(path, "rb") as stream:
            return {record["label"] for record in records.read(stream, path) if "label" in record}
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def _pairs_of_json(path: str) -> Iterator[tuple[int, str]]:
    table = json_of(path)
    if isinstance(table, list):
        yield from enumerate(_joined(name, path) for name in table)
        return
    if isinstance(table, dict) and isinstance(table.get("classes"), dict):
        table = table["classes"]
    if not isinstance(table, dict):
        raise UsageError(f"{path} is neither an object {{name: number}} nor a list of names")
    for name, number in table.items():
        if not re.fullmatch(r"\d{1,9}", str(number)):
            raise UsageError(f"{path}: the number of '{name}' is {number!a}")
        yield int(number), name


def _joined(name: Any, path: str) -> str:
    """A name of a list in JSON: a string, or the list of its words, as Diving48_vocab.json has."""
    words = name if isinstance(name, list) else [name]
    if not words or not all(isinstance(word, str) and word for word in words):
        raise UsageError(f"{path}: {name!a} is no name, nor the words of one")
    return " ".join(words)


def _pairs(lines: list[str], path: str) -> Pairs:
    header = [name.strip() for name in lines[0].lower().split(",")] if lines else []
    if len(header) > 1 and {"name", "label"} & set(header):
        return _pairs_of_table(lines, header, path)
    if lines and lines[0].startswith("#label"):
        return enumerate(line.split()[0] for line in lines[1:])
    numbered = [re.fullmatch(r"(\d{1,9})(?:[ \t]+|,)(\S.*)", line) for line in lines]
    if all(numbered):
        return [(int(found[1]), found[2]) for found in numbered if found]
    return enumerate(lines)


def _pairs_of_table(lines: list[str], header: list[str], path: str) -> Pairs:
    rows = list(csv.reader(io.StringIO("\n".join(lines[1:]))))
    column = header.index("name" if "name" in header else "label")
    for place, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise UsageError(f"{path}:{place}: {len(row)} columns, not {len(header)}")
    if "id" not in header:
        return enumerate(dict.fromkeys(row[column].strip() for row in rows))
    numbers = [row[header.index("id")].strip() for row in rows]
    if wrong := [number for number in numbers if not re.fullmatch(r"\d{1,9}", number)]:
        raise UsageError(f"{path}: {wrong[0]!a} in the column id is no number")
    return [(int(number), row[column].strip()) for number, row in zip(numbers, rows, strict=True)]
