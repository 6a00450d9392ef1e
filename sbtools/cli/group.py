"""The command `sbtools`: a lazy group over the table of commands."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import click

from sbtools import __version__
from sbtools.cli.commands import COMMANDS
from sbtools.registry import load, merged

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

HELP = {"help": "sbtools.cli.help:command"}
"""Besides the commands, as `sbtools help COMMAND`."""

EPILOG = """\b
Examples:
  sbtools segment clips/ | sbtools mask --mode bg+obj --records masked.jsonl
  sbtools index clips/ --records clips.jsonl
  sbtools detect clips.jsonl -o boxes.jsonl | sbtools segment -o steps/ --records masks.jsonl
  sbtools view masks.jsonl -o sheet.png
"""


class LazyGroup(click.Group):
    """Imports a command when it is named, or when help lists them all."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_table())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = _table().get(cmd_name)
        if target is None:
            return None
        command: click.Command = load(target)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        if word in _table() or word.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        raise click.UsageError(f"No such command '{word}'.{_meant(word, [*_table()])}", ctx)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Their names alone: for what each does, all would be imported."""
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name) for name in _table() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]


def _table() -> dict[str, str]:
    return merged({**COMMANDS, **HELP}, "sbtools.commands")


def _meant(word: str, known: list[str]) -> str:
    begun = [name for name in known if name.startswith(word.lower())]
    near = begun or difflib.get_close_matches(word.lower(), known, 1)
    return f" Did you mean '{near[0]}'?" if near else ""


@click.group(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="sbtools")
def group() -> None:
    """Measure and reduce static bias in video action recognition.

    Each command reads one JSON record per clip, does one thing, and writes one JSON record per
    clip; arrays go to HDF5 stores. `man sbtools` tells how they fit together, and
    `sbtools help COMMAND` what one does.
    """
