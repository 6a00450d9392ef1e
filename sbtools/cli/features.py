"""`sbtools features`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import click

from sbtools import records, threads
from sbtools.cli import messages, options, run
from sbtools.cli.eval import split_paths
from sbtools.cli.eval_options import features_options
from sbtools.cli.options import Common
from sbtools.errors import UsageError
from sbtools.job import Job, available_cores
from sbtools.records import Record

SAME = ("which", "model", "weights", "frames", "classes", "p_view", "fill", "clips", "batch",
        "device", "precision", "cache")  # fmt: skip


@click.command("features", short_help="Keep what a model makes of clips, in a store.",
               context_settings=options.CONTEXT)  # fmt: skip
@click.argument("inputs", metavar="[RUN] [INPUT]...", nargs=-1, type=click.Path(path_type=str))
@click.option("-o", "--output", metavar="STORE", type=click.Path(path_type=str, file_okay=False),
              default="features", show_default=True, help="The store.")  # fmt: skip
@features_options
@click.option("--stream", default="", metavar="NAME",
              help="The features that the method keeps under this name.  [default: what enters the "
              "last layer]")  # fmt: skip
@click.option("--per-frame", is_flag=True, help="Features of each frame; only of models that see "
              "single frames.")  # fmt: skip
@click.option(
    "--style-dir",
    metavar="DIR",
    type=click.Path(path_type=str),
    help="Show the videos of the same ids in this folder, made in another style.",
)
@options.store_options
@options.stage_of_a_model
def command(
    common: Common,
    parts: dict[str, Any],
    output: str,
    stream: str,
    per_frame: bool,
    style_dir: str | None,
    **flags: Any,
) -> int:
    """Keep the features of every clip, what enters the last linear layer, in a store.

    RUN is a run or a checkpoint; --model names any other model that `sbtools eval` can open. Clips
    are sampled, cropped and shown as there.

    \b
    Examples:
      sbtools features runs/bg50 -o features/ val.jsonl --records features.jsonl
      sbtools features runs/bg50 --view bg -o of-people/ val.jsonl --records of-people.jsonl
      sbtools features runs/bg50 -o demo-features/ demo.jsonl | sbtools probe --target scene
    """
    messages.begin_command(common.verbose, common.quiet)
    if flags["model"] is None and not common.inputs:
        raise UsageError("name the model whose features are kept: RUN, or --model NAME")
    judged, inputs = split_paths({**flags, "paths": common.inputs})
    common = replace(common, inputs=tuple(inputs))

    def stage(incoming: Iterator[Record], job: Job) -> Iterator[Record]:
        from sbtools.allocator import keep_memory
        from sbtools.features.stage import features

        keep_memory()
        making = _making(common, judged, flags, stream, per_frame, style_dir)
        return features(incoming, job, making, output, run=run.provenance(job), **parts)

    made = f"features in {os.path.join(output, '')}"
    return run.filter_records(common, stage, made=made, done=lambda: run.ids_in(
        output, common.shard, parts["overwrite"], parts["retry_failed"]
    ))  # fmt: skip


def _making(
    common: Common,
    judged: str | None,
    flags: dict[str, Any],
    stream: str,
    per_frame: bool,
    style_dir: str | None,
) -> Any:
    """The flags as the stage knows them."""
    from sbtools.backends import parse_settings
    from sbtools.evaluate.request import Request
    from sbtools.features.making import Making

    request = Request(
        root=str(common.root),
        run=judged,
        options=parse_settings(flags["model_pairs"]),
        crops=int(flags["crops"]),
        seed=common.seed,
        workers=common.workers,
        threads=threads.asked(flags["threads"]),
        cores=available_cores(),
        timeout=common.clip_timeout,
        **{name: flags[name] for name in SAME},
    )
    styles = records.relative(style_dir, str(common.root)) if style_dir else ""
    return Making(request, flags["view"], stream, per_frame, styles)
