"""`sbtools status`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from sbtools.cli import messages, options
from sbtools.cli.options import Tolerance
from sbtools.errors import UsageError

NAMED = 5
"""Shards that did not end, named one by one."""


@click.command("status", short_help="How far the shards of a store are.",
               context_settings=options.CONTEXT)  # fmt: skip
@click.argument("store", metavar="STORE", type=click.Path(path_type=str))
@click.argument("clips", metavar="[CLIPS]", required=False, type=click.Path(path_type=str))
@click.option("--json", "as_json", is_flag=True, help="One line of JSON instead.")
@options.MAX_FAILED
@options.ROOT
@options.talk_options
def command(
    store: str,
    clips: str | None,
    as_json: bool,
    max_failed: Tolerance,
    root: Path | None,
    quiet: bool,
    verbose: int,
) -> int:
    """Say which shards of a store are done, and what to submit again.

    CLIPS, the records that the shards were given, lets it count the clips that are left.

    Exit status: 1 where something is missing, 3 where all is there and more clips failed than
    --max-failed.

    \b
    Examples:
      sbtools status masks/
      sbtools status --max-failed 2% masks/ clips.jsonl
      sbtools status --json scores/
    """
    from sbtools.inputs import Inputs
    from sbtools.status import status

    messages.begin_command(verbose, quiet)
    if not os.path.exists(os.path.join(store, "made.json")):
        raise UsageError(f"{store} is no store: it has no made.json ({os.path.abspath(store)})")
    base = Path(os.path.abspath(root or "."))
    found = status(store, Inputs([clips], base) if clips else None)
    if as_json:
        click.echo(json.dumps(found.as_json(store)))
    else:
        for line in _lines(store, found):
            messages.show(line)
    total = found.clips + (found.left or 0)
    if not found.whole:
        return 1
    return 0 if max_failed.allows(found.failed, total) else 3


def _lines(store: str, found: Any) -> Iterator[str]:
    from sbtools.status import last_words

    shards = found.shards
    if shards.count:
        counts = [f"{len(getattr(shards, name))} {name}"
                  for name in ("done", "failed", "running", "missing")
                  if name == "done" or getattr(shards, name)]  # fmt: skip
        yield f"{store}: {', '.join(counts)} of {shards.count} shards"
    elif found.of:
        yield f"{store}: {found.of} shards of an earlier sbtools, which did not mark what is done"
    else:
        yield f"{store}: not divided into shards"
    if shards.joining:
        yield "a command without --shard is at work"
    told = last_words(store, shards)
    yield from told[:NAMED]
    if len(told) > NAMED:
        yield f"and {len(told) - NAMED} more"
    left = "" if found.left is None else f", {found.left} left"
    yield f"{found.clips - found.failed} clips done, {found.failed} failed{left}"
    if found.again:
        yield f"submit again: SBTOOLS_SHARDS={found.of} sbatch --array={found.array} ..."
