"""`sbtools factors`."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import click

from sbtools.cli import messages, options, streams

log = logging.getLogger("sbtools")
TWO: dict[str, Any] = {"nargs": 2, "multiple": True, "required": True, "metavar": "A B",
       "type": click.Path(path_type=str)}  # fmt: skip


@click.command("factors", short_help="How much of features is static, and how much dynamic.",
               context_settings=options.CONTEXT)  # fmt: skip
@click.option("--dynamic", **TWO, help="The same clips in two styles; repeatable.")
@click.option("--static", **TWO, help="The same clips in one style, in B with their frames in "
              "another order; repeatable.")  # fmt: skip
@click.option("--threshold", "thresholds", type=click.FloatRange(-1, 1), multiple=True,
              default=[0.5], show_default=True, metavar="R",
              help="Correlation from which a unit is static or dynamic; repeatable.")  # fmt: skip
@streams.POOL
@click.option("--bootstrap", "draws", type=click.IntRange(0), default=1000, show_default=True,
              metavar="N", help="Bootstrap draws of the intervals; 0: none.")  # fmt: skip
@options.SEED
@options.ROOT
@options.talk_options
def command(
    dynamic: tuple[tuple[str, str], ...],
    static: tuple[tuple[str, str], ...],
    thresholds: tuple[float, ...],
    pool: str,
    draws: int,
    seed: int,
    root: Path | None,
    quiet: bool,
    verbose: int,
) -> int:
    """Print how much of a model's features is static, and how much dynamic, as one JSON object.

    A and B are records of `sbtools features`, of one model that is shown the same clips in two
    ways; clips are matched by id.

    \b
    Examples:
      sbtools features runs/bg50 --view restyled --seed 1 -o s1/ val.jsonl --records s1.jsonl
      sbtools features runs/bg50 --view restyled --seed 2 -o s2/ val.jsonl --records s2.jsonl
      sbtools features runs/bg50 --view restyled-shuffled --seed 1 -o o1/ val.jsonl \\
          --records o1.jsonl
      sbtools factors --dynamic s1.jsonl s2.jsonl --static s1.jsonl o1.jsonl > factors.json
    """
    messages.begin_command(quiet=quiet, verbose=verbose)
    from sbtools.probe.factors import factors

    given = {"dynamic": dynamic, "static": static}
    paths = [path for two in given.values() for pair in two for path in pair]
    try:
        found = streams.read(paths, pool, root)
    except streams.Halted as halted:
        return halted.code
    pairs = {name: [(found[a], found[b]) for a, b in two] for name, two in given.items()}
    told = factors(pairs, thresholds, draws, seed)
    warn(told)
    messages.show(json.dumps(told))
    return 0


def warn(told: dict[str, Any]) -> None:
    """What a reader of the numbers has to know."""
    if told["left_out"] or told["failed"]:
        log.warning("%d clips are in only one of a pair and are left out, %d failed before",
                    told["left_out"], told["failed"])  # fmt: skip
    if told["constant"]:
        log.warning("%d of %d units are the same for all clips and count as neither",
                    told["constant"], told["features"])  # fmt: skip
    if told["clusters"] < 2:
        log.warning("all clips are of one source: there are no intervals")
