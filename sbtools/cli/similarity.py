"""`sbtools similarity`."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import click

from sbtools.cli import messages, options, streams

log = logging.getLogger("sbtools")
FILE = click.Path(path_type=str)
LOOSE = 0.1


@click.command("similarity", short_help="How alike two sets of features are: CKA and HSIC.",
               context_settings=options.CONTEXT)  # fmt: skip
@click.argument("a", metavar="A", type=FILE)
@click.argument("b", metavar="B", type=FILE)
@streams.POOL
@click.option("--permutations", type=click.IntRange(0), default=1000, show_default=True,
              metavar="N", help="Permutations of the test of independence; 0: none.")  # fmt: skip
@options.SEED
@options.ROOT
@options.talk_options
def command(
    a: str,
    b: str,
    pool: str,
    permutations: int,
    seed: int,
    root: Path | None,
    quiet: bool,
    verbose: int,
) -> int:
    """Print how alike two sets of features of the same clips are, as one JSON object.

    A and B are records of `sbtools features`, of two streams, views, models or layers; clips are
    matched by id.

    \b
    Examples:
      sbtools similarity plain-f.jsonl bg50-f.jsonl > alike.json
      sbtools features runs/two --stream b -o b/ demo.jsonl | sbtools similarity u.jsonl -
    """
    messages.begin_command(quiet=quiet, verbose=verbose)
    from sbtools.probe.similarity import similarity

    try:
        found = streams.read([a, b], pool, root)
    except streams.Halted as halted:
        return halted.code
    told = similarity(found[a], found[b], permutations, seed)
    warn(told)
    messages.show(json.dumps(told))
    return 0


def warn(told: dict[str, Any]) -> None:
    """What a reader of the numbers has to know."""
    failed = sum(told["failed"])
    if told["left_out"] or failed:
        log.warning("%d clips are in only one of the two and are left out, %d failed before",
                    told["left_out"], failed)  # fmt: skip
    debiased, biased = (told["metrics"][name]["value"] for name in ("cka", "cka_biased"))
    if debiased is not None and biased - debiased > LOOSE:
        log.warning("cka_biased is %.2f and cka %.2f: %d clips are few for %s features, which "
                    "raises the first of them alone", biased, debiased, told["n"],
                    " and ".join(map(str, told["features"])))  # fmt: skip
    if told["clusters"] < 2:
        log.warning("all clips are of one source: there are no intervals")
