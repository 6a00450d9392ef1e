"""A stream of a million clips in memory: columns of the fields that are needed."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator
from typing import Any

from sbtools.records.parse import Record

_FLOATS = frozenset({"start", "end", "fps"})
_INTS = frozenset({"frames", "width", "height", "mask_empty"})
_NO_NUMBER = -(1 << 63)


class Columns:
    """The named fields of many records, about as many bytes as their text has.

    `columns[i]` is a dict of those fields that record i has, in the order of `fields`; nested
    values are copies.
    """

    def __init__(self, fields: Iterable[str]) -> None:
        self._columns = {name: _column(name) for name in fields}
        self._length = 0

    def append(self, record: Record) -> None:
        """Keep the fields of one more record."""
        for name, column in self._columns.items():
            column.append(record.get(name))
        self._length += 1

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Record:
        place = range(self._length)[index]
        found = ((name, column.get(place)) for name, column in self._columns.items())
        return {name: value for name, value in found if value is not None}

    def __iter__(self) -> Iterator[Record]:
        return (self[place] for place in range(self._length))


def _column(name: str) -> _Floats | _Ints | _Texts:
    if name in _FLOATS:
        return _Floats()
    return _Ints() if name in _INTS else _Texts()


class _Floats:
    def __init__(self) -> None:
        self._values = array("d")

    def append(self, value: float | None) -> None:
        self._values.append(float("nan") if value is None else value)

    def get(self, place: int) -> float | None:
        value = self._values[place]
        return value if value == value else None


class _Ints:
    def __init__(self) -> None:
        self._values = array("q")

    def append(self, value: int | None) -> None:
        self._values.append(_NO_NUMBER if value is None else value)

    def get(self, place: int) -> int | None:
        value = self._values[place]
        return None if value == _NO_NUMBER else value


class _Texts:
    """Strings as a head, kept once for all that share it, and a tail of its own.

    The head ends at the last "/": folders, parts of stores, whole class names repeat.
    Code -1 is no value; a value that is not a string is kept as its JSON.
    """

    def __init__(self) -> None:
        self._codes: dict[tuple[bool, str], int] = {}
        self._heads: list[tuple[bool, str]] = []
        self._head = array("i")
        self._end = array("Q")
        self._tails = bytearray()

    def append(self, value: Any) -> None:
        if value is None:
            self._head.append(-1)
        else:
            plain = type(value) is str
            head, tail = self._split(value) if plain else ("", json.dumps(value))
            self._head.append(self._code((plain, head)))
            self._tails += tail.encode("utf-8", "surrogatepass")
        self._end.append(len(self._tails))

    def get(self, place: int) -> Any:
        code = self._head[place]
        if code < 0:
            return None
        start = self._end[place - 1] if place else 0
        tail = self._tails[start : self._end[place]].decode("utf-8", "surrogatepass")
        plain, head = self._heads[code]
        return head + tail if plain else json.loads(tail)

    def _split(self, value: str) -> tuple[str, str]:
        """Head and tail; no new heads once they repeat too little to pay."""
        if "/" not in value:
            whole = (True, value)
            if whole in self._codes or (len(value) <= 64 and self._heads_pay()):
                return value, ""
            return "", value
        cut = value.rindex("/") + 1
        if (True, value[:cut]) in self._codes or self._heads_pay():
            return value[:cut], value[cut:]
        return "", value

    def _heads_pay(self) -> bool:
        return len(self._heads) < 1024 + len(self._head) // 16

    def _code(self, head: tuple[bool, str]) -> int:
        code = self._codes.get(head)
        if code is None:
            code = self._codes[head] = len(self._heads)
            self._heads.append(head)
        return code
