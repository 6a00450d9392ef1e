"""Options that print about one entry of a table, and end there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import click


def printing(lines: Callable[[str], Iterator[str]]) -> Callable[..., None]:
    """The callback of an eager option: print the lines about its value."""

    def show(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
        if value is not None and not ctx.resilient_parsing:
            click.echo("\n".join(lines(value)).rstrip())
            ctx.exit(0)

    return show


def head(what: str, target: str, doc: str) -> Iterator[str]:
    """What it is, where it stands, and what that says of itself."""
    yield f"{what} ({target})"
    yield ""
    for line in doc.splitlines():
        yield f"  {line}".rstrip()
    yield ""


def table(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Two columns."""
    width = max(len(left) for left, _ in rows)
    for left, right in rows:
        yield f"  {left:{width}}  {right}".rstrip()
