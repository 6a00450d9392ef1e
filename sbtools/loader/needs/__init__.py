"""What a method may have with each clip: a table, read by the parent, the ranks and the loader."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sbtools.backends import checked
from sbtools.loader.needs.base import Need
from sbtools.registry import pick

__all__ = ["NEEDS", "Need", "Needs", "build", "fields_of"]

Needs = Mapping[str, Mapping[str, Any]]
"""Names with their settings, as a method has them."""

NEEDS = {
    "masks": "sbtools.loader.needs.masks:Masks",
    "boxes": "sbtools.loader.needs.masks:Boxes",
    "other": "sbtools.loader.needs.masks:Other",
    "store": "sbtools.loader.needs.other_store:OtherStore",
    "partner": "sbtools.loader.needs.partner:Partner",
    "background": "sbtools.loader.needs.background:Background",
    "scene": "sbtools.loader.needs.scene:Scene",
    "alternatives": "sbtools.loader.needs.alternatives:Alternatives",
}
"""Name -> class; other packages add to it through the entry-point group sbtools.needs."""


def build(needs: Needs | Collection[str], whose: str = "the loader") -> dict[str, Need]:
    """The needs of those names, with their settings, in the order of the table.

    Raises UsageError for an unknown name, and for a setting that is not known or not of its kind.
    """
    told = needs if isinstance(needs, Mapping) else {name: {} for name in needs}
    found: dict[str, Need] = {}
    for name in sorted(told, key=_place):
        made = pick(NEEDS, "sbtools.needs", name, "need")
        found[name] = made(**checked(made, told[name], f"{whose} needs {name}, which"))
        found[name].name = name
    return found


def _place(name: str) -> tuple[int, str]:
    return (list(NEEDS).index(name), "") if name in NEEDS else (len(NEEDS), name)


def fields_of(needs: Iterable[Need]) -> tuple[str, ...]:
    """Fields of records that these needs read."""
    return tuple(dict.fromkeys(field for need in needs for field in need.fields))
