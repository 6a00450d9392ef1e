"""--config FILE.toml: defaults from a file, below the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from sbtools.cli.renamed import Renamed, note

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def load(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    """Put the file's top-level keys, then those of [COMMAND], under the options of `ctx`.

    A key is an option's long name. One that no command has is refused.
    """
    if value is None or ctx.resilient_parsing:
        return
    try:
        table = tomllib.loads(value.read_text("utf-8"))
    except RecursionError:
        raise click.BadParameter(f"{value}: it is nested too deeply", ctx, param) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise click.BadParameter(f"{value}: {error}", ctx, param) from None
    tables = {name: entry for name, entry in table.items() if isinstance(entry, dict)}
    shared = {name: entry for name, entry in table.items() if name not in tables}
    known = _all_options(ctx)
    for command, entries in {"": shared, **tables}.items():
        allowed = known.get(command, {}) if command else set().union(*known.values())
        for name in entries:
            if name not in allowed:
                where = f"in [{command}]" if command else "of any command"
                raise click.BadParameter(f"{value}: '{name}' is no option {where}", ctx, param)
    own = known[ctx.info_name or ""]
    wanted = {**shared, **tables.get(ctx.info_name or "", {})}
    options = {param.name: param for param in ctx.command.params if isinstance(param, click.Option)}
    _note_old([options[own[name]] for name in wanted if name in own], ctx, wanted)
    found = {
        own[name]: _as_typed(entry, options[own[name]])
        for name, entry in wanted.items()
        if name in own
    }
    ctx.default_map = {**(ctx.default_map or {}), **found}


def _note_old(given: list[click.Option], ctx: click.Context, names: dict[str, Any]) -> None:
    """Have it said where the file has the name that an option had."""
    for option in given:
        if isinstance(option, Renamed) and option.was.removeprefix("--") in names:
            note(ctx, option.was, option.opts[0])


def _as_typed(value: Any, option: click.Option) -> Any:
    """The value as it would stand on the command line: text, or the state of a switch.

    There 3.7, inf and true are no integers, and -1 may name a file; of the values themselves click
    would make 3 and 1, or fail.
    """
    if isinstance(value, list) and (option.multiple or option.nargs != 1):
        return [_as_typed(one, option) for one in value]
    if isinstance(value, list | dict):
        raise click.BadParameter(f"{option.opts[0]} takes one value, not {value!a}")
    if isinstance(value, bool):
        return value if option.is_flag else str(value).lower()
    return str(value)


def _all_options(ctx: click.Context) -> dict[str, dict[str, str]]:
    """command -> long option name -> parameter name, of every command."""
    group = ctx.parent.command if ctx.parent else None
    commands = {ctx.info_name or "": ctx.command}
    if isinstance(group, click.Group) and ctx.parent:
        for name in group.list_commands(ctx.parent):
            commands[name] = group.get_command(ctx.parent, name) or ctx.command
    return {name: _options(command) for name, command in commands.items()}


def _options(command: click.Command) -> dict[str, str]:
    return {
        text.removeprefix("--"): option.name or ""
        for option in command.params
        for text in (*option.opts, *([option.was] if isinstance(option, Renamed) else []))
        if text.startswith("--")
    }
