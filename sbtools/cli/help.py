"""`sbtools help`."""

from __future__ import annotations

import click

from sbtools.cli import options


def _commands(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    group = ctx.parent.command if ctx.parent else None
    known = group.list_commands(ctx) if isinstance(group, click.Group) else []
    return [name for name in known if name.startswith(incomplete)]


@click.command("help", short_help="Print the help of a command.", context_settings=options.CONTEXT)
@click.argument("command", metavar="[COMMAND]", required=False, shell_complete=_commands)
@click.pass_context
def command(context: click.Context, command: str | None) -> None:
    """Print the help of a COMMAND, as sbtools COMMAND --help does, or that of sbtools."""
    group = context.find_root().command
    given = [command] if command else []
    group.main([*given, "--help"], prog_name=context.find_root().info_name, standalone_mode=False)
