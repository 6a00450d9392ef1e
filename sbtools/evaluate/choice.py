"""Which views an evaluation shows, by what is asked for and what the records bring."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sbtools.errors import ClipError, DamagedError, UsageError
from sbtools.evaluate import views
from sbtools.evaluate.catalogue import B_VIEW, PLAIN
from sbtools.evaluate.views import CONTROLS, P_VIEWS, VIEWS
from sbtools.store import Stores

log = logging.getLogger("sbtools")


@dataclass(frozen=True)
class Brought:
    """What records bring: how many there are; whether any has masks, and boxes with them, or is
    itself masked."""

    count: int
    masks: bool = False
    boxes: bool = False
    pixels: bool = False


def look(count: int, first: Mapping[str, Any] | None, pixels: bool, root: str) -> Brought:
    """What `count` records bring, of which `first` is the first that has masks, if one has.

    UsageError where its store cannot be opened.
    """
    if pixels or first is None:
        return Brought(count, pixels=pixels)
    stores = Stores(root)
    try:
        boxes = "boxes" in stores.clip(first["masks"]).datasets
    except (ClipError, DamagedError) as error:
        raise UsageError(
            f"{first['id']}: {error} (--root says where relative paths begin)"
        ) from None
    finally:
        stores.close()
    return Brought(count, True, boxes)


def names(
    asked: Sequence[str] | None,
    controls: bool,
    p_view: str | None,
    brought: Brought,
    more: Sequence[str] = (),
) -> list[str]:
    """The views by name, in the order in which they are shown.

    asked None: plain, the P view (bg) and person-box, as far as the records have masks and boxes;
    `controls` adds those that they allow, `more` those of its names. Raises UsageError for a view
    that there is not, for a P view that is not shown, and where it is not told which of two is the
    P view.
    """
    if asked is None:
        found = [PLAIN, p_view or P_VIEWS[0], B_VIEW]
        wanted = {*found, *(CONTROLS if controls else ()), *more}
        found = _possible([name for name in VIEWS if name in wanted], brought)
        if p_view is not None and p_view not in found:
            raise UsageError(f"--p-view {p_view} needs masks: give the records of sbtools segment")
    else:
        unknown = [name for name in asked if name not in VIEWS]
        if unknown:
            raise UsageError(f"there is no view '{unknown[0]}'; the views are {', '.join(VIEWS)}")
        wanted = {*asked, *(_possible(CONTROLS, brought) if controls else ())}
        found = [name for name in VIEWS if name in wanted]
    both = [name for name in P_VIEWS if name in found]
    if p_view is not None and p_view not in found:
        raise UsageError(f"--p-view {p_view} is not among the views {', '.join(found)}")
    if p_view is None and len(both) > 1:
        raise UsageError(
            "both bg and bg+obj are shown: say which one P-top1 is, --p-view bg (Kinetics, "
            "Mimetics) or --p-view bg+obj (SSv2)"
        )
    return found


def _possible(wanted: Sequence[str], brought: Brought) -> list[str]:
    """Those views that the records allow; a warning names the others."""
    out: dict[str, list[str]] = {}
    found = []
    for name in wanted:
        view = views.build(name)
        lacks = lacking(view, brought)
        if lacks:
            out.setdefault(lacks, []).append(name)
        else:
            found.append(name)
    for lacks, left in out.items():
        log.warning("%s: left out %s", lacks, ", ".join(left))
    return found


def lacking(view: views.View, brought: Brought) -> str:
    """What the records do not bring that a view wants; "" where nothing is lacking."""
    if view.masked and brought.pixels:
        return "the clips are masked already"
    if view.masked and not brought.masks:
        return "the records have no masks (sbtools segment makes them)"
    if "boxes" in view.needs and not brought.boxes:
        return "the masks have no boxes (sbtools detect finds them)"
    if "other" in view.needs and brought.count < 2:
        return "there is no other clip to take masks from"
    return ""


def build(found: Sequence[str], p_view: str | None, fill: str, normalise: str) -> list[views.View]:
    """The views of those names."""
    shown = p_view or next((name for name in P_VIEWS if name in found), P_VIEWS[0])
    return [views.build(name, shown, fill, normalise) for name in found]
