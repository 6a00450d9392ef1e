"""`sbtools scenes`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import click

from sbtools.backends import SCORERS
from sbtools.cli import backends, complete, options, run
from sbtools.cli.options import Common
from sbtools.inputs import Inputs
from sbtools.job import Job
from sbtools.records import Record


@click.command(
    "scenes",
    short_help="Score the scenes that clips show, in a store.",
    context_settings=options.CONTEXT,
)
@click.option("--scorer", required=True, metavar="NAME",
              shell_complete=complete.names("scorers"),
              help=f"{', '.join(SCORERS)}, or one that a package adds.")  # fmt: skip
@click.option("-o", "--output", metavar="STORE", type=click.Path(path_type=str, file_okay=False),
              default="scenes", show_default=True, help="The store.")  # fmt: skip
@click.option("--weights", metavar="PATH", shell_complete=complete.file,
              help="places365: resnet18_places365.pth.tar or resnet50_places365.pth.tar, or their "
              "tensors as safetensors. clip: a file, a folder of transformers, or a name as "
              "ViT-B-32.")  # fmt: skip
@click.option("--names", metavar="FILE", type=click.Path(path_type=str),
              help="The scenes, one name a line.  [default: the 365 of Places365; record: those of "
              "the whole input]")  # fmt: skip
@click.option("--device", metavar="NAME", shell_complete=complete.DEVICE,
              help="Where the network computes: auto, cpu, cuda or cuda:N.")  # fmt: skip
@click.option("--batch", type=backends.BatchFrames(),
              help="Clips that it takes at once.  [default: auto]")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE",
              help="A setting of the scorer; repeatable.")  # fmt: skip
@options.store_options
@options.stage_options
def command(
    common: Common,
    parts: dict[str, Any],
    scorer: str,
    output: str,
    weights: str | None,
    names: str | None,
    device: str | None,
    batch: str | None,
    settings: tuple[str, ...],
) -> int:
    """Score which scene every clip shows, by its middle frame, and keep the scores in a store.

    places365 is a ResNet that was trained on 365 kinds of places, clip reads their names, and
    record takes the scene that the record names: 1, and 0 for the others.

    \b
    Examples:
      sbtools scenes --scorer clip --weights ViT-B-32.pt -o by-clip/ masks.jsonl \\
          --records by-clip.jsonl
      sbtools scenes --scorer record -o by-record/ demo.jsonl --records by-record.jsonl
    """
    given: list[Inputs] = []

    def stage(incoming: Iterator[Record], job: Job) -> Iterator[Record]:
        from sbtools.scenes.stage import scenes

        choice = backends.scorer(
            common, scorer, settings, weights=weights, names=names, device=device, batch=batch
        )
        return scenes(
            incoming, job, choice.make(), output, whole=given[0].whole, run=run.provenance(job),
            **parts,
        )  # fmt: skip

    made = f"scores in {os.path.join(output, '')}"
    return run.filter_records(common, stage, made=made, begin=given.append, done=lambda: run.ids_in(
        output, common.shard, parts["overwrite"], parts["retry_failed"]
    ))  # fmt: skip
