"""Names of views that show a clip under other masks, beside the view whose masks they change."""

from __future__ import annotations

from collections.abc import Sequence

MARK = "~"
DILATED, ERODED, OTHER = KINDS = ("dilated", "eroded", "other")


def name_of(view: str, kind: str) -> str:
    """VIEW~KIND."""
    return f"{view}{MARK}{kind}"


def split(views: Sequence[str]) -> tuple[list[str], dict[str, dict[str, str]]]:
    """The views themselves, in order, and by view and kind the names of those beside them.

    A name is VIEW~KIND only where there is such a view, and the kind is one of KINDS; any other
    stands for itself.
    """
    beside = {
        view: found
        for view in views
        if (found := {kind: name for kind in KINDS if (name := name_of(view, kind)) in views})
    }
    names = {name for found in beside.values() for name in found.values()}
    return [view for view in views if view not in names], beside
