"""What a method may need with each clip: a table, read by the parent, the ranks and the loader."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sbtools.errors import ClipError, UsageError

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Need:
    """One row.

    fields    of the records, which the ranks keep for it
    settings  what a method may set, with the defaults
    name      of a record, where all of them together are a fact: {"scene": ["kitchen", ...]},
              sorted; the batch then has the place of its clip's name there, int64 [B]. None where
              the record has none, which is an error before training
    """

    fields: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    name: Callable[[Record], str | None] | None = None


def _scene(record: Record) -> str | None:
    found = record.get("scene")
    return found if isinstance(found, str) else None


NEEDS: dict[str, Need] = {
    "masks": Need(("masks",)),
    "boxes": Need(("masks",)),
    "other": Need(("masks",)),
    "scene": Need(("scene",), name=_scene),
}
"""masks, boxes: person and object, person_box and object_box, bool [B, T, H, W]; other: the same of
another clip; scene: the place of the record's `scene` among all that occur, int64 [B]."""


def require_known(needs: Mapping[str, Mapping[str, Any]], whose: str) -> None:
    """UsageError for a row or a setting that there is not."""
    for name, told in needs.items():
        if name not in NEEDS:
            raise UsageError(
                f"{whose} needs '{name}', which the loader does not bring, only {', '.join(NEEDS)}"
            )
        for key in told:
            if key not in NEEDS[name].settings:
                raise UsageError(f"{whose} needs {name} with '{key}', which is no setting of it")


def fields_of(needs: Iterable[str]) -> tuple[str, ...]:
    """Fields of records that these needs read."""
    return tuple(dict.fromkeys(field for name in needs for field in NEEDS[name].fields))


def numbers(record: Record, needs: Iterable[str], facts: Mapping[str, Any]) -> dict[str, int]:
    """The places of a record's names among the facts; ClipError where it has none of them."""
    found = {}
    for name in needs:
        named = NEEDS[name].name
        if named is None:
            continue
        own = named(record)
        if own not in facts.get(name, ()):
            raise ClipError("missing", f"no {name} that the training records have")
        found[name] = facts[name].index(own)
    return found
