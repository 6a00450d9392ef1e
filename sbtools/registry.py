"""Tables of name -> "module:attribute", and the entries that other packages add to them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from sbtools.errors import UsageError

OTHERS = {
    "model": ", and hf:FOLDER, torchvision:NAME or, for a function of yours, module:factory",
}
"""What there is besides the names of a table, in words."""


def load(target: str) -> Any:
    """The object that "module:attribute" names."""
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


@cache
def _entries(group: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=group))


def merged(table: Mapping[str, str], group: str) -> dict[str, str]:
    """The table with the entry points of `group` behind it; UsageError where names clash."""
    found = dict(table)
    for entry in _entries(group):
        if entry.name in found:
            raise UsageError(
                f"{group}: '{entry.name}' is defined twice, by {found[entry.name]} and by "
                f"{entry.value}; uninstall one of the two packages"
            )
        found[entry.name] = entry.value
    return found


def named(table: Mapping[str, str], group: str, name: str, what: str) -> str:
    """The "module:attribute" called `name`; UsageError that lists the names when there is none."""
    known = merged(table, group)
    if name not in known:
        others = OTHERS.get(what, "")
        raise UsageError(
            f"there is no {what} '{name}'; there are {', '.join(sorted(known))}{others}"
        )
    return known[name]


def pick(table: Mapping[str, str], group: str, name: str, what: str) -> Any:
    """The entry called `name`; UsageError that lists the names when there is none."""
    return load(named(table, group, name, what))
