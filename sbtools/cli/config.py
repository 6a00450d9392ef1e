"""--config FILE.toml: defaults from a file, below the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def load(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    """Put the file's top-level keys, then those of [COMMAND], under the options of `ctx`."""
    if value is None:
        return
    try:
        table = tomllib.loads(value.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise click.BadParameter(f"{value}: {error}", ctx, param) from None
    options = {option.name: option for option in ctx.command.params if option.name != "inputs"}
    shared = {name: entry for name, entry in table.items() if not isinstance(entry, dict)}
    own = table.get(ctx.info_name or "", {})
    for name in own:
        if _field(name) not in options:
            raise click.BadParameter(f"{value}: [{ctx.info_name}] has no '{name}'", ctx, param)
    wanted = {_field(name): entry for name, entry in {**shared, **own}.items()}
    found: dict[str, Any] = {name: entry for name, entry in wanted.items() if name in options}
    ctx.default_map = {**(ctx.default_map or {}), **found}


def _field(name: str) -> str:
    return name.replace("-", "_")
