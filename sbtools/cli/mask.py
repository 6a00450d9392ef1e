"""`sbtools mask`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import click

from sbtools.cli import complete, options, run
from sbtools.cli.mask_compose import MODES as COMPOSED
from sbtools.cli.mask_compose import compose_options, composing_of, originals, require_fitting
from sbtools.cli.options import Common
from sbtools.inputs import Inputs
from sbtools.job import Job
from sbtools.records import Record

MODES = ("none", "bg", "obj-box", "obj-shape", "bg+obj", "person-box")


@click.command(
    "mask",
    short_help="Hide the background, the objects or the person; compose bias benchmarks.",
    context_settings=options.CONTEXT,
)
@click.option("--mode", required=True, type=click.Choice((*MODES, *COMPOSED)), metavar="MODE",
              help="What is hidden or composed, see above.")  # fmt: skip
@click.option("--fill", default="normal", show_default=True, metavar="FILL",
              shell_complete=complete.words("normal", "mean", "inpaint"),
              help="normal (a random colour for each clip and region), mean, R,G,B, or "
              "inpaint.")  # fmt: skip
@click.option("--normalise", type=click.Choice(["imagenet", "clip", "kinetics", "slowfast",
              "half"]), default="imagenet",
              show_default=True, help="The colours' mean and standard deviation.")  # fmt: skip
@click.option("--on-empty", type=click.Choice(["apply", "keep", "drop"]), default="apply",
              show_default=True,
              help="A clip in which nothing is found: mask it all the same, keep it as it is, "
              "or drop it.")  # fmt: skip
@click.option("--video", "movies", metavar="DIR", type=click.Path(path_type=str, file_okay=False),
              help="Write the masked clips as H.264 files too, DIR/ID.mp4.")  # fmt: skip
@click.option("-o", "--output", metavar="STORE", type=click.Path(path_type=str, file_okay=False),
              default="masked", show_default=True, help="The store.")  # fmt: skip
@click.option("--compress", type=click.IntRange(0, 9), metavar="LEVEL",
              help="gzip level of the pixels.  [default: none]")  # fmt: skip
@options.ALLOW_MISSING
@compose_options
@options.store_options
@options.stage_options
def command(
    common: Common,
    parts: dict[str, Any],
    asked: dict[str, Any],
    mode: str,
    fill: str,
    normalise: str,
    on_empty: str,
    movies: str | None,
    output: str,
    compress: int | None,
    allow_missing: bool,
) -> int:
    """Hide the background, the objects or the person of every clip, or compose clips
    of bias benchmarks: people before other backgrounds, and noise that moves as they do.

    \b
    MODE        what is hidden                                       equation
    none        nothing
    bg          all but the person's shape                                  2
    obj-box     the objects' boxes, except the person                       3
    obj-shape   the objects' shapes                                         4
    bg+obj      all but the person; background and objects in two colours   5
    person-box  the person's box and shape                                  6

    \b
    MODE            what is composed
    scuba           the people before a still image, --backgrounds
    scufo           one frame of that
    conflfg         the same, and people of another clip who stand still
    swap            the people before another clip's background, --pairs
    human-only      the people on flat colour
    bg-only         the clip without its people
    self-composite  the people before their own background
    appearance-free noise that moves as the clip does

    \b
    Examples:
      sbtools segment clips/ | sbtools mask --mode bg+obj --records masked.jsonl
      sbtools mask --mode bg --fill 124,116,104 --video look/ -o people/ masks.jsonl \\
          --records people.jsonl
      sbtools mask --mode scuba --backgrounds stripes -o scuba/ val.jsonl --records scuba.jsonl
    """
    require_fitting(mode)
    given: list[Inputs] = []

    def held() -> set[str]:
        return run.ids_in(output, common.shard, parts["overwrite"], parts["retry_failed"])

    def composed(incoming: Iterator[Record], job: Job) -> Iterator[Record]:
        from sbtools.compose.stage import compose

        whole = given[0].whole
        composing = composing_of(mode, asked, common.seed, whole, job, allow_missing)
        return compose(
            incoming, job, composing, output, movies=movies, run=run.provenance(job),
            compress=compress, allow_missing=allow_missing, **parts,
        )  # fmt: skip

    def stage(incoming: Iterator[Record], job: Job) -> Iterator[Record]:
        from sbtools.mask.fill import parse_fill
        from sbtools.mask.stage import mask
        from sbtools.mask.task import Masking

        masking = Masking(mode, parse_fill(fill, normalise), on_empty, common.seed)
        told = run.provenance(job)
        return mask(
            incoming, job, masking, output, movies=movies, run=told, compress=compress,
            allow_missing=allow_missing, **parts,
        )  # fmt: skip

    made = f"pixels in {os.path.join(output, '')}"
    made += f", videos in {os.path.join(movies, '')}" if movies else ""
    if mode in COMPOSED:
        return run.filter_records(common, composed, made=made, begin=given.append,
                                  times=asked["copies"], done=lambda: originals(
            held(), asked["copies"]
        ))  # fmt: skip
    return run.filter_records(common, stage, made=made, done=held)
