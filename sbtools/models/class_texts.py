"""What models with a text tower read for a class."""

from __future__ import annotations

from collections.abc import Sequence

from sbtools.errors import UsageError


def read_for(classes: Sequence[str], texts: Sequence[str] | None) -> list[str]:
    """The texts [K], by default the classes themselves; UsageError for another number of them."""
    found = list(texts or classes)
    if len(found) != len(classes):
        raise UsageError(f"{len(classes)} classes and {len(found)} texts: one text for each")
    return found


def template_of(text: str) -> str:
    """The template; UsageError for one without exactly one {}, where the class stands."""
    if text.count("{}") != 1:
        raise UsageError(f"template '{text}' has no place for the class: write {{}} there")
    return text
