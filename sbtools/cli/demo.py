"""`sbtools demo`."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

import click

from sbtools.cli import messages, options, run
from sbtools.cli.options import Common
from sbtools.cli.renamed import Renamed
from sbtools.errors import UsageError
from sbtools.job import Job
from sbtools.records import Record

log = logging.getLogger("sbtools")


class Bias(click.ParamType):
    """ "SCENE,CLOTHES", two shares."""

    name = "SCENE,CLOTHES"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, float]:
        if isinstance(value, tuple):
            return value
        try:
            scene, clothes = (float(part) for part in value.split(","))
        except ValueError:
            self.fail(f"'{value}' is not two shares, as in .9,0", param, ctx)
        return scene, clothes


@click.command("demo", context_settings=options.CONTEXT)
@click.argument("inputs", metavar="DIR", nargs=-1, type=click.Path(path_type=str))
@click.option("--bias", "cells", cls=Renamed, was="--cell", type=Bias(), multiple=True,
              default=[(0.0, 0.0), (0.9, 0.0)],
              help="Share of clips whose scene, and whose clothes, are forced to be their class's; "
              "repeatable.  [default: 0,0 and .9,0]")  # fmt: skip
@click.option("--splits", metavar="NAME,...", default="",
              help="The splits to make.  [default: all]")  # fmt: skip
@click.option(
    "--zero-shot",
    is_flag=True,
    help="6 verbs x 4 objects, 8 of the 24 names novel, instead of the 12 actions.",
)
@click.option("--scale", type=click.FloatRange(0, min_open=True), metavar="FACTOR",
              help="Make so many times the usual number of clips, as in 0.1.  "
              "[default: 1]")  # fmt: skip
@click.option("--clips", type=click.FloatRange(0, min_open=True), metavar="FACTOR", hidden=True,
              help="What --scale was called.")  # fmt: skip
@click.option("--size", type=int, default=64, show_default=True, help="Height and width.")
@click.option("--frames", type=int, default=16, show_default=True, help="Frames of a clip.")
@click.option("--arrays", is_flag=True,
              help="Keep the decoded frames too, DIR/arrays/ID.npy.")  # fmt: skip
@click.option("--captions", is_flag=True,
              help="Add a text for every frame to the records, and the set captions of free "
              "clips.")  # fmt: skip
@click.option(
    "--table",
    is_flag=True,
    help="Print what each kind of learner scores under the (last) bias, and make nothing.",
)
@options.store_options
@options.maker_options
def command(
    common: Common,
    parts: dict[str, Any],
    cells: tuple[tuple[float, float], ...],
    splits: str,
    zero_shot: bool,
    scale: float | None,
    clips: float | None,
    size: int,
    frames: int,
    arrays: bool,
    captions: bool,
    table: bool,
) -> int:
    """Make the benchmark whose answer is known: clips, exact masks, and records.

    A jointed figure does 12 actions before 12 backgrounds, in clothes of 12 hues. How often the
    background and the clothes give the action away is yours to set.

    \b
    Examples:
      sbtools demo --zero-shot --splits zs-train --limit 48 pairs/ --records pairs.jsonl
      sbtools demo whole/ --records whole.jsonl
      sbtools demo --table --bias .9,0
    """
    messages.begin_command(common.verbose, common.quiet)
    from sbtools.demo.dataset import Demo

    chosen = tuple(name for name in splits.split(",") if name)
    factor = _scale(scale, clips)
    plan = Demo(cells, chosen, zero_shot, factor, size, frames, common.seed, captions)
    if table:
        return _print_table(plan.cells[-1])
    if len(common.inputs) != 1:
        raise UsageError("demo writes to one folder: sbtools demo DIR")

    def stage(job: Job) -> Iterator[Record]:
        from sbtools.demo.stage import make

        return make(
            plan, common.inputs[0], job, arrays=arrays, limit=common.limit, run=run.provenance(job),
            **parts,
        )  # fmt: skip

    def dry(job: Job) -> str:
        from sbtools.demo.stage import planned

        store = os.path.join(common.inputs[0], "masks")
        there = run.ids_in(store, job.shard, parts["overwrite"], parts["retry_failed"])
        wanted = planned(plan, common.inputs[0], job, limit=common.limit)
        done = [record["id"] in there for record in wanted]
        return run.would_be(done.count(False), "made", done.count(True))

    made = f"videos, masks and records in {os.path.join(common.inputs[0], '')}"
    return run.produce_records(common, stage, None, dry, made, hint=False)


def _scale(scale: float | None, clips: float | None) -> float:
    """The factor, by its own name or by the one that it had."""
    if clips is None:
        return 1.0 if scale is None else scale
    if scale is not None:
        raise UsageError("--clips is what --scale was called: give --scale alone")
    log.warning(
        "--clips is a factor, not a count, and is called --scale now: --scale %g; for a count of "
        "clips --limit N",
        clips,
    )
    return clips


def _print_table(cell: tuple[float, float]) -> int:
    from sbtools.demo.table import text

    sys.stdout.write(text(*cell))
    return 0
