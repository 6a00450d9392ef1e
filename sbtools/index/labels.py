"""Class names: their numbers, and one spelling for all the ways they are written."""

from __future__ import annotations

import csv
import io
import logging
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

from sbtools import records
from sbtools.errors import ALWAYS, UsageError
from sbtools.index.annotation import cells_of, json_of, lines_of, word_of_column

log = logging.getLogger("sbtools")

Pairs = Iterable[tuple[int, str]]
Lines = list[tuple[str, str]]
"""Text, and "FILE:NUMBER"."""

NAMES = ("name", "classname", "labelname", "label", "class", "names", "labels", "classes")
NUMBERS = ("id", "index", "number", "classid", "labelid", "classindex", "labelindex")
"""Names of columns, the likeliest first, in lower case, without spaces, - and _."""

_NUMBERED = re.compile(r"(\d{1,9})(?:[ \t]+|,)(\S.*)")


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
                raise UsageError(f"{where}: number {number} is there twice: each class has its own")
            if key_of_label(name) in self._by_key:
                raise UsageError(f"{where}: class '{name}' is there twice: remove one")
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
            raise UsageError(
                f"{where}: class '{name}' is not in {self.where}: add it there, or give other "
                "--labels"
            )
        return found


def read(path: str) -> Labels:
    """The class names of a file, whichever form it has.

    A name a line, numbered from 0; "1 ApplyEyeMakeup" or "1,ApplyEyeMakeup"; a table (.csv) with
    the columns id and name, or with a column label, whose classes are numbered as they come; a
    first line that is one of `NAMES` is a header, and numbered lines alone have such a class; an
    object {name: number} (.json), or {"classes": such an object}, or a list of names, each a string
    or the words of one, numbered from 0; or records (.jsonl), whose labels are taken in the order
    of the alphabet. UsageError for anything else, and for a name or a number that stands twice.
    """
    if path.endswith(".jsonl"):
        return Labels(enumerate(sorted(_labels_of_records(path))), path)
    if path.endswith(".json"):
        return Labels(_pairs_of_json(path), path)
    return Labels(_pairs(list(lines_of(path)), path), path)


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
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


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
            raise UsageError(f"{path}: the number of '{name}' is {number!a}, not 0 or more")
        yield int(number), name


def _joined(name: Any, path: str) -> str:
    """A name of a list in JSON: a string, or the list of its words, as Diving48_vocab.json has."""
    words = name if isinstance(name, list) else [name]
    if not words or not all(isinstance(word, str) and word for word in words):
        raise UsageError(f"{path}: {name!a} is no name, nor the words of one")
    return " ".join(words)


def _pairs(lines: Lines, path: str) -> Pairs:
    if not lines:
        return []
    first, where = lines[0]
    mark = next((mark for mark in ",\t;" if mark in first), ",")
    header = [word_of_column(cell) for cell in cells_of(first, mark, where)]
    numbered = any(map(str.isdecimal, header))
    if len(header) > 1 and not numbered and not {*NAMES}.isdisjoint(header):
        log.info("%s: the first line is a header", path)
        return _pairs_of_table([line for line, _ in lines], header, mark, path)
    if first.startswith("#label"):
        return enumerate(line.split()[0] for line, _ in lines[1:])
    number, _, name = first.partition(" ")
    if word_of_column(number) in NUMBERS and word_of_column(name) in NAMES:
        log.info("%s: the first line is a header", path)
        return _numbered(lines[1:])
    if len(header) == 1 and header[0] in NAMES:
        lines = _without_header(lines)
    if all(_NUMBERED.fullmatch(line) for line, _ in lines):
        return _numbered(lines)
    return enumerate(_unquoted(line) for line, _ in lines)


def _without_header(lines: Lines) -> Lines:
    (first, where), *rest = lines
    log.warning(
        "%s: '%s' is taken for a header: if it is a class, number all lines, as in '0 %s'",
        where, first, first, extra=ALWAYS,
    )  # fmt: skip
    return rest


def _numbered(lines: Lines) -> list[tuple[int, str]]:
    found = [(_NUMBERED.fullmatch(line), where) for line, where in lines]
    for match, where in found:
        if match is None:
            raise UsageError(f"{where}: by the header a number and a name are expected")
    return [(int(match[1]), _unquoted(match[2])) for match, _ in found if match]


def _unquoted(name: str) -> str:
    """A name without the quotes that a table puts round it."""
    found = re.fullmatch(r'"((?:[^"]|"")+)"', name)
    return found[1].replace('""', '"') if found else name


def _pairs_of_table(lines: list[str], header: list[str], mark: str, path: str) -> Pairs:
    rows = list(csv.reader(io.StringIO("\n".join(lines[1:])), delimiter=mark))
    for place, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise UsageError(f"{path}:{place}: {len(row)} columns, not {len(header)}")
    columns = {word: [row[n].strip() for row in rows] for n, word in enumerate(header)}
    number, name = _chosen(columns)
    if number is None:
        return enumerate(dict.fromkeys(columns[name]))
    if wrong := [text for text in columns[number] if not re.fullmatch(r"\d{1,9}", text)]:
        raise UsageError(f"{path}: {wrong[0]!a} in the column {number} is no number")
    pairs = [(int(text), one) for text, one in zip(columns[number], columns[name], strict=True)]
    return pairs if number in NUMBERS else dict.fromkeys(pairs)


def _chosen(columns: dict[str, list[str]]) -> tuple[str | None, str]:
    """Which column has the numbers, if one has, and which the names.

    Where one of two columns of classes is all numbers, as in a table of clips, these are they.
    """
    words = [word for word in NAMES if word in columns]
    digits = [word for word in words if all(map(str.isdecimal, columns[word]))]
    rest = [word for word in words if word not in digits]
    number = next((word for word in NUMBERS if word in columns), None)
    return number or (digits[0] if digits and rest else None), (rest or words)[0]
