"""A part of a result that was read: whoever takes a value out of it knows what kind it is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from sbtools.errors import DamagedError


class Node:
    """A value and the place where it stands; DamagedError names that place where the kind differs.

    place: "FILE: field views.bg.top1", say.
    """

    def __init__(self, value: Any, place: str) -> None:
        self.value, self.place = value, place

    def __getitem__(self, name: str) -> Node:
        """The field of an object; null where it is missing."""
        mark = "" if self.place.endswith(" ") else "."
        found = self.mapping().get(name)
        return Node(found, f"{self.place}{mark}{name}")

    def __bool__(self) -> bool:
        return self.value is not None

    def _wrong(self, kind: str) -> DamagedError:
        return DamagedError(f"{self.place} is not {kind}")

    def mapping(self) -> dict[str, Any]:
        """An object; empty where it is null."""
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            raise self._wrong("an object")
        return self.value

    def items(self) -> Iterator[tuple[str, Node]]:
        """The fields of an object."""
        return ((name, self[name]) for name in self.mapping())

    def array(self) -> list[Any]:
        """A list; empty where it is null."""
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            raise self._wrong("a list")
        return self.value

    def nodes(self) -> Iterator[Node]:
        """The members of a list."""
        return (Node(value, f"{self.place}[{at}]") for at, value in enumerate(self.array()))

    def number(self) -> float | None:
        """A finite number, or None for null."""
        if self.value is None:
            return None
        if type(self.value) not in (int, float) or not math.isfinite(self.value):
            raise self._wrong("a number")
        return float(self.value)

    def share(self) -> float:
        """A number that is there."""
        found = self.number()
        if found is None:
            raise self._wrong("a number")
        return found

    def whole(self) -> int:
        """A whole number, 0 or more; 0 for null."""
        if self.value is None:
            return 0
        if type(self.value) is not int or self.value < 0:
            raise self._wrong("a count")
        return self.value

    def text(self) -> str:
        """A text; empty for null."""
        if self.value is None:
            return ""
        if not isinstance(self.value, str):
            raise self._wrong("a text")
        return self.value

    def texts(self) -> list[str]:
        """A list of texts."""
        return [node.text() for node in self.nodes()]

    def numbers(self, length: int) -> list[float | None]:
        """A list of so many numbers or nulls."""
        found = [node.number() for node in self.nodes()]
        if len(found) != length:
            raise self._wrong(f"a list of {length}")
        return found

    def places(self, length: int, below: int) -> list[int]:
        """A list of so many whole numbers from 0 to below - 1."""
        found = self.array()
        if len(found) != length or any(type(v) is not int or not 0 <= v < below for v in found):
            raise self._wrong(f"a list of {length} numbers of classes")
        return found
