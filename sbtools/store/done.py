"""What stands committed in a store."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sbtools.errors import DamagedError, UsageError
from sbtools.records import Record, key_of
from sbtools.records.parse import strict_json
from sbtools.store.checksums import ANEW
from sbtools.store.layout import Kind, without_version
from sbtools.store.open_part import OpenPart

log = logging.getLogger("sbtools")


class DoneClip:
    """A committed clip: its record, its video's digest, and the part that holds it."""

    __slots__ = ("_field", "_line", "address", "part")

    def __init__(self, line: bytes, part: str, address: str, field: str) -> None:
        self._line = line
        self._field = field
        self.part = part
        self.address = address

    @property
    def record(self) -> Record:
        """The record that was printed, its address as this run names the store."""
        record: Record = json.loads(self._line)["record"]
        if not self._field:
            return record
        return {**record, self._field: f"{self.address}::clips/{key_of(record['id'])}"}

    @property
    def digest(self) -> str | None:
        """The digest of the video that was decoded."""
        digest: str | None = json.loads(self._line)["digest"]
        return digest


@dataclass(frozen=True, slots=True)
class IndexLine:
    """One clip in the index of a part."""

    id: str
    supersedes: str | None
    line: bytes


def index_of(part: OpenPart) -> Iterator[IndexLine]:
    """The clips of a part, in the order they were added."""
    return index_lines(part.index(), f"{part.path}: /index")


def index_lines(data: bytes, where: str) -> Iterator[IndexLine]:
    """Clips, a line each; DamagedError for what is none."""
    for line in data.splitlines():
        try:
            found = strict_json(line)
            digest, record, old = found["digest"], found["record"], found.get("supersedes")
            if not isinstance(digest, str | None) or not isinstance(old, str | None):
                raise TypeError
            yield IndexLine(str(record["id"]), old, line)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DamagedError(f"{where} is damaged") from None


def places_of(part: OpenPart) -> Iterator[tuple[str, IndexLine]]:
    """(part name, line) of the clips of a part, without their text."""
    name = os.path.basename(part.path)
    return ((name, replace(line, line=b"")) for line in index_of(part))


def newest(entries: Iterable[tuple[str, IndexLine]]) -> dict[str, tuple[str, IndexLine]]:
    """id -> (part name, line) of those that no other supersedes; of equals, the last."""
    found: dict[str, tuple[str, IndexLine]] = {}
    repeated: dict[str, list[tuple[str, IndexLine]]] = {}
    for name, entry in entries:
        if entry.id in found:
            repeated.setdefault(entry.id, [found[entry.id]]).append((name, entry))
        found[entry.id] = (name, entry)
    for id, places in repeated.items():
        old = {entry.supersedes for _, entry in places}
        found[id] = next((place for place in reversed(places) if place[0] not in old), places[-1])
    return found


def committed(
    folder: str,
    names: Iterable[str],
    kind: Kind,
    what: Mapping[str, Any],
    base: str,
    field: str | None = None,
) -> dict[str, DoneClip]:
    """The clips of the named parts, each of which must be made as `what` says.

    `base` is the folder as addresses name it, `field` that of the records which holds them, where
    it is not the kind's usual one.
    """

    def entries() -> Iterator[tuple[str, IndexLine]]:
        for name in names:
            with OpenPart(os.path.join(folder, name)) as part:
                require_same(part.path, kind, part.kind, what, part.made["what"])
                for entry in index_of(part):
                    yield name, entry

    try:
        found = newest(entries())
    except DamagedError as fault:
        raise DamagedError(str(fault).removesuffix(ANEW) + ANEW) from None
    addresses = {name: os.path.join(base, name) for name, _ in found.values()}
    return {
        id: DoneClip(entry.line, name, addresses[name], field or kind.field)
        for id, (name, entry) in found.items()
    }


def require_same(
    path: str, kind: Kind, old_kind: Kind, what: Mapping[str, Any], old: Mapping[str, Any]
) -> None:
    """Raise UsageError, naming the differing keys, unless a store can be continued."""
    if kind.format != old_kind.format:
        raise UsageError(f"{path} holds {old_kind.format}, not {kind.format}: give another -o")
    changes = differences(without_version(old), without_version(json.loads(json.dumps(what))))
    if changes:
        raise UsageError(
            f"{path} was made with {', '.join(changes)}: --overwrite, or give another -o"
        )


def differences(old: Any, new: Any, name: str = "") -> list[str]:
    """Where two JSON values differ, as "frames 8, not 'all'"."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            line
            for key in sorted(old.keys() | new.keys())
            for line in differences(
                old.get(key, _NOTHING), new.get(key, _NOTHING), f"{name}.{key}" if name else key
            )
        ]
    same = old == new and isinstance(old, bool) == isinstance(new, bool)
    return [] if same else [f"{name} {old!a}, not {new!a}"]


class _Nothing:
    def __repr__(self) -> str:
        return "absent"


_NOTHING = _Nothing()
