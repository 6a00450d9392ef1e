"""`sbtools check`."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import click

from sbtools.cli import messages, options
from sbtools.errors import DamagedError, UsageError
from sbtools.inputs import Inputs, is_stream

log = logging.getLogger("sbtools")


@click.command(
    "check",
    short_help="Read stores and records to the last byte.",
    context_settings=options.CONTEXT,
)
@click.option("--against", metavar="FILE", type=click.Path(path_type=str),
              help="Name the clips of this .jsonl file that the INPUTs lack.")  # fmt: skip
@click.option("--digest", is_flag=True, help="Print the SHA-256 of each store's content.")
@options.ALLOW_MISSING
@options.few_options
def command(
    inputs: tuple[str, ...],
    root: Path | None,
    quiet: bool,
    verbose: int,
    against: str | None,
    digest: bool,
    allow_missing: bool,
) -> int:
    """Read stores and records to the last byte; say nothing when all is well.

    INPUT is a store, a part of one (.h5), a .jsonl file, or - for records from stdin.

    Exit status: 1 for missing shards, 3 for clips that failed, changed or are missing, 5 for a
    damaged store.

    \b
    Examples:
      sbtools check masks/ masked.jsonl
      sbtools check --against clips.jsonl masked.jsonl
      sbtools check --digest masks/
    """
    from sbtools.check import Checker
    from sbtools.store.digest import digest as digest_of

    messages.begin_command(verbose, quiet)
    base = Path(os.path.abspath(root or "."))
    stores = [path for path in inputs if not is_stream(path)]
    alone = len(stores) == len(inputs) > 0
    checker = Checker(str(base), allow_missing)
    for path in stores:
        _look_at(path, digest, bool(against) and alone)
    for path in filter(is_stream, inputs or ("-",)):
        for record in Inputs([path], base, stage="check"):
            checker.record(record)
    for path in stores:
        checker.store(path)
    checker.shards()
    if against:
        for path in stores if alone else ():
            checker.clips_of(path)
        list(checker.against(Inputs([against], base, stage="check")))
    found = checker.found
    for line in [*found.damaged, *found.missing, *found.failed]:
        log.error("%s", line)
    if digest and not found.damaged:
        for path in stores:
            messages.show(f"{digest_of(path)}  {path}")
    return found.exit_code


def _look_at(path: str, digest: bool, against: bool) -> None:
    if not os.path.exists(path):
        raise UsageError(f"{path}: there is no such store or file ({os.path.abspath(path)})")
    made = os.path.join(path, "made.json")
    if os.path.isdir(path) and not os.path.exists(made):
        if any(name.endswith(".h5") for name in os.listdir(path)):
            raise DamagedError(
                f"{path}: the store has no made.json any more: run the command that made it again"
            )
        raise UsageError(f"{path} is no store: it has no made.json")
    for flag, asked in (("--digest", digest), ("--against, without records,", against)):
        if asked and not os.path.isdir(path):
            raise UsageError(f"{path}: {flag} needs a whole store: name its folder")
    if not os.path.isdir(path) and not path.endswith(".h5"):
        raise UsageError(f"{path} is neither a store, nor a part (.h5), nor a .jsonl file")
