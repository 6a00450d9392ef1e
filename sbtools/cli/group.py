"""The command `sbtools`: a lazy group over the table of commands."""

from __future__ import annotations

import click

from sbtools import __version__
from sbtools.cli.commands import COMMANDS
from sbtools.registry import load, merged

EPILOG = """\b
Examples:
  sbtools segment clips/ | sbtools mask --mode bg+obj > masked.jsonl
  sbtools detect clips/ -o boxes.jsonl | sbtools segment --frames all -o masks/ > masks.jsonl
  sbtools view masks.jsonl -o sheet.png
"""


class LazyGroup(click.Group):
    """Imports a command when it is named, or when help lists them all."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(merged(COMMANDS, "sbtools.commands"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = merged(COMMANDS, "sbtools.commands").get(cmd_name)
        if target is None:
            return None
        command: click.Command = load(target)
        return command


@click.group(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="sbtools")
def group() -> None:
    """Measure and reduce static bias in video action recognition.

    Each command reads one JSON record per clip, does one thing, and writes one JSON record per
    clip; arrays go to HDF5 stores. `man sbtools` tells how they fit together.
    """
