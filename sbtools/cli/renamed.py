"""Options that had another name, which goes on with a warning."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import click

log = logging.getLogger("sbtools")
OLD = "sbtools.renamed"
"""In the `meta` of a context: the names of old that were given, with those of today."""


class Renamed(click.Option):
    """An option that was called `was`; that name is in no help, and may be given all the same."""

    def __init__(self, *args: Any, was: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.was = was

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        super().add_to_parser(parser, ctx)
        action = "append" if self.multiple else "store"
        parser.add_option(self, [self.was], self.was, action, self.nargs)

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        if self.was not in opts:
            return super().handle_parse_result(ctx, opts, args)
        if self.name in opts:
            raise click.UsageError(f"{self.was} is now {self.opts[0]}: give that alone", ctx)
        note(ctx, self.was, self.opts[0])
        return super().handle_parse_result(ctx, {**opts, str(self.name): opts[self.was]}, args)


def note(ctx: click.Context, old: str, new: str) -> None:
    """Have `warn` tell of an old name."""
    ctx.meta.setdefault(OLD, {})[old] = new


def warn(ctx: click.Context) -> None:
    """Log the old names that were given, each once."""
    for old, new in ctx.meta.pop(OLD, {}).items():
        log.warning("%s is now %s", old, new)
