"""Lists of files as they come: a path a line, `path label`, or a table with columns by header."""

from __future__ import annotations

import codecs
import csv
import io
import logging
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sbtools.errors import UsageError
from sbtools.index import lists
from sbtools.index.annotation import cells_of
from sbtools.index.annotation import word_of_column as _word
from sbtools.index.lists import Entry

log = logging.getLogger("sbtools")

SUFFIXES = frozenset((".txt", ".list", ".lst", ".csv", ".tsv"))
MOST = 1 << 30
"""Bytes of a list; a longer one is none."""

PATHS = frozenset(("path", "video", "file", "filename", "filepath", "videopath", "videofile"))
CLASSES = frozenset(
    ("label", "class", "classname", "labelname", "category", "action", "labelid", "classid")
)
"""Names of columns, in lower case, without spaces, - and _."""
FRAMES = frozenset(("frames", "totalframes", "numframes"))

_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Listing:
    """The lines of a list, and the folder that its relative paths stand under, "" for here.

    labelled: its lines have classes; one that has none then is a mistake, but for `lists.NONE`.
    """

    entries: list[Entry]
    under: str
    labelled: bool


def read(path: str, root: str) -> Listing:
    """The list in a file; UsageError for one that cannot be read.

    Relative paths stand under the working directory; where none of them is there, under `root`,
    and else beside the list.
    """
    try:
        with open(path, "rb") as stream:
            data = stream.read(MOST + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    return parse(data, path, ("", root, os.path.dirname(path)))


def parse(data: bytes, name: str, places: Sequence[str]) -> Listing:
    """The list in `data`, called `name` in messages; UsageError where it can be read two ways.

    With NUL bytes, as `find -print0` writes them, whatever stands between two is a path. Else a
    first line of the names of columns is a header, and .csv and .tsv are tables with or without
    one, if their first line has a comma, a tab or a semicolon in it. What is left has a path a
    line, or a path and its class. Relative paths are looked for in each of `places`.
    """
    if len(data) > MOST:
        raise UsageError(f"{name}: a list has no more than {MOST >> 30} GiB")
    if data.startswith(_WIDE):
        raise UsageError(f"{name} is written in UTF-16: save it as UTF-8")
    if b"\0" in data:
        parts = map(os.fsdecode, data.split(b"\0"))
        rows = [Entry(path, None, name) for path in parts if path]
        return Listing(rows, _place(rows, places), False)
    return _of_text(data.decode("utf-8-sig", "surrogateescape"), name, places)


def _of_text(text: str, name: str, places: Sequence[str]) -> Listing:
    lines = [(line.removesuffix("\r"), f"{name}:{number}")
             for number, line in enumerate(text.split("\n"), 1) if line.strip()]  # fmt: skip
    if not lines:
        return Listing([], "", False)
    first, where = lines[0]
    marks = "\t,;" if name.lower().endswith(".tsv") else ",\t;"
    mark = next((mark for mark in marks if mark in first), None)
    cells = _cells(first, mark, where)
    if _is_header(cells, mark):
        _refuse_file(cells, where, places)
        _tell(cells, name)
        table = mark and _of_table(text, name, mark, cells, places)
        return table or _of_lines(lines[1:], places)
    if mark and (_other_header(cells) or name.lower().endswith((".csv", ".tsv"))):
        _refuse_columns(cells, where)
        return _of_table(text, name, mark, None, places)
    return _of_lines(lines, places)


def _cells(line: str, mark: str | None, where: str) -> list[str]:
    if mark is None:
        return [line.strip()] if _word(line) in PATHS else line.split()
    return cells_of(line, mark, where)


def _is_header(cells: Sequence[str], mark: str | None) -> bool:
    words = [_word(cell) for cell in cells]
    if mark is None:
        return words[0] in PATHS and {*words} <= PATHS | CLASSES | FRAMES
    return _are_words(cells) and not PATHS.isdisjoint(words)


def _other_header(cells: Sequence[str]) -> bool:
    """Whether these are the names of columns, none of which has paths."""
    return _are_words(cells) and not CLASSES.isdisjoint(map(_word, cells))


def _are_words(cells: Iterable[str]) -> bool:
    return not any(re.search(r"[./]|^-?\d*$", cell) for cell in cells)


def _refuse_file(cells: Sequence[str], where: str, places: Iterable[str]) -> None:
    for cell in cells:
        if _word(cell) in PATHS and any(_there(cell, place) for place in places):
            raise UsageError(
                f"{where}: '{cell}' names a column, and a file that is there: write ./{cell} for "
                "the file, or call the column something else, as in path, video or filename"
            )


def _refuse_columns(cells: Sequence[str], where: str) -> None:
    if "youtubeid" in map(_word, cells):
        raise UsageError(
            f"{where}: this is a table of Kinetics: --dataset kinetics400 --annotations "
            f"{where.rpartition(':')[0]} FOLDER"
        )
    if _other_header(cells):
        raise UsageError(f"{where}: no column has paths: call one path, video or filename")
    if len(cells) > 2:
        raise UsageError(
            f"{where}: {len(cells)} columns without a header: put one before them, as in path,label"
        )
    if len(cells) == 2 and lists.is_video(cells[1]) and not lists.is_video(cells[0]):
        raise UsageError(
            f"{where}: the second column names a video: paths come first, or put the header "
            "label,path before them"
        )


def _tell(cells: Sequence[str], name: str) -> None:
    words = {_word(cell): cell for cell in cells}
    used = [f"'{words[word]}'" for word in words if word in PATHS | CLASSES]
    left = [f"'{words[word]}'" for word in words if word not in PATHS | CLASSES]
    rest = f", not {', '.join(left)}" if left else ""
    log.info("%s: the first line is a header, and %s read%s", name, " and ".join(used), rest)


def _of_table(
    text: str, name: str, mark: str, header: Sequence[str] | None, places: Sequence[str]
) -> Listing:
    rows = _rows(text, name, mark)
    if not rows:
        return Listing([], "", False)
    words = [_word(cell) for cell in header or ("path", "label")[: len(rows[0][0])]]
    rows = rows[1:] if header else rows
    for cells, where in rows:
        if len(cells) != len(words):
            raise UsageError(
                f"{where}: {len(cells)} columns, not {len(words)}: put names with a '{mark}' in "
                "them in double quotes"
            )
    path, label = _path_column(words, name), _class_column(words, rows, name)
    entries = [_row(cells, where, path, label) for cells, where in rows]
    return Listing(entries, _place(entries, places), label is not None)


def _rows(text: str, name: str, mark: str) -> list[tuple[list[str], str]]:
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=mark, strict=True, skipinitialspace=True
    )
    rows = []
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                rows.append(([cell.strip() for cell in cells], f"{name}:{reader.line_num}"))
    except csv.Error as error:
        raise UsageError(
            f"{name}:{reader.line_num}: {error}: double the quotes in a name, and put it in "
            "quotes, "
            'as in "a ""b"".mp4"'
        ) from None
    return rows


def _path_column(words: Sequence[str], name: str) -> int:
    found = [number for number, word in enumerate(words) if word in PATHS]
    if len(found) > 1:
        both = " and ".join(words[number] for number in found)
        raise UsageError(f"{name}: {both} both name columns of paths: call one something else")
    return found[0]


def _class_column(
    words: Sequence[str], rows: Iterable[tuple[Sequence[str], str]], name: str
) -> int | None:
    """The column of classes; of one with their numbers and one with their names, the latter."""
    found = [number for number, word in enumerate(words) if word in CLASSES]
    if len(found) > 1:
        listed = list(rows)
        names = [
            number for number in found if not all(_is_number(cells[number]) for cells, _ in listed)
        ]
        if len(names) != 1:
            both = " and ".join(words[number] for number in found)
            raise UsageError(f"{name}: {both} both name columns of classes: call one something "
                             "else")  # fmt: skip
        found = names
    return found[0] if found else None


def _is_number(cell: str) -> bool:
    return not cell or isinstance(lists.class_of(cell), int)


def _row(cells: Sequence[str], where: str, path: int, label: int | None) -> Entry:
    if not cells[path]:
        raise UsageError(f"{where}: the path is empty")
    told = None if label is None else lists.class_of(cells[label] or str(lists.NONE))
    return lists.checked(Entry(cells[path], told, where))


def _of_lines(lines: Iterable[tuple[str, str]], places: Sequence[str]) -> Listing:
    """A path a line, or a path and its class.

    A line that names a file is a path. Where the path that ends at the suffix, or before the last
    number, names one, the rest is its class; and where neither does, it is as other lines are.
    """
    whole = [Entry(line, None, where) for line, where in lines]
    bare = [replace(entry, path=entry.path.strip()) for entry in whole]
    parts = lists.parsed([(entry.path, entry.where) for entry in bare])
    place = _place([*filter(None, parts), *whole], places)
    certain = [_certain(*pair, place) for pair in zip(whole, parts, strict=True)]
    split = not any(certain) or any(entry.label is not None for entry in certain if entry)
    chosen = [
        lists.checked(sure or (part if part and split else line))
        for sure, part, line in zip(certain, parts, whole, strict=True)
    ]
    return Listing(chosen, place, any(entry.label is not None for entry in chosen))


def _certain(line: Entry, part: Entry | None, place: str) -> Entry | None:
    """The reading of a line that needs no other line: there is but one, or a file of that name."""
    if part is None or _there(line.path, place):
        return line
    if part.path == line.path or _there(part.path, place):
        return part
    return None


def _there(path: str, place: str) -> bool:
    return os.path.lexists(os.path.join(place, path))


def _place(entries: Sequence[Entry], places: Sequence[str]) -> str:
    """The first of the places in which one of the files is; the first where none is."""
    for place in dict.fromkeys(places):
        if any(_there(entry.path, place) for entry in entries):
            return place
    return places[0]
