"""What a shell completes the values of options to; see COMPLETION in sbtools(1).

Names come from the tables, with those that packages add. Nothing that they stand for is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from sbtools.errors import UsageError
from sbtools.registry import load, merged

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]

VARIABLE = "_SBTOOLS_COMPLETE"
"""Set by a shell that asks."""

TABLES = {
    "detectors": "sbtools.backends:DETECTORS",
    "segmenters": "sbtools.backends:SEGMENTERS",
    "scorers": "sbtools.backends:SCORERS",
    "models": "sbtools.models:MODELS",
    "methods": "sbtools.methods:METHODS",
    "objectives": "sbtools.objectives:OBJECTIVES",
    "optimisers": "sbtools.train.optimisers:OPTIMISERS",
    "schedules": "sbtools.train.schedules:SCHEDULES",
    "trackers": "sbtools.train.track:TRACKERS",
    "presets": "sbtools.presets:PRESETS",
    "protocols": "sbtools.protocols:PROTOCOLS",
    "views": "sbtools.evaluate.views:VIEWS",
    "weights": "sbtools.weights.catalogue:CATALOGUE",
}
"""What -> table; packages add to it through the entry-point group sbtools.WHAT, but to the last
two."""

CLOSED = ("views", "weights")


def names(what: str, *more: str) -> Complete:
    """The names of a table of `TABLES`, and `more` before them."""
    return _completing(lambda: [*more, *_names(what)])


def words(*given: str) -> Complete:
    """These words."""
    return _completing(lambda: [*given])


def several(what: str) -> Complete:
    """Names with commas between; those that stand there already are not offered again."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        before, comma, _ = incomplete.rpartition(",")
        there = before.split(",")
        left = [f"{before}{comma}{name}" for name in _names(what) if name not in there]
        return _items(left, incomplete)

    return complete


def file(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The shell's own completion of files."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def _names(what: str) -> list[str]:
    table = load(TABLES[what])
    try:
        return list(table if what in CLOSED else merged(table, f"sbtools.{what}"))
    except UsageError:
        # Two packages claim one name: the command itself will say so.
        return list(table)


def _completing(known: Callable[[], list[str]]) -> Complete:
    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return _items(known(), incomplete)

    return complete


def _items(known: list[str], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in known if name.startswith(incomplete)]


DEVICE = words("auto", "cpu", "cuda")
