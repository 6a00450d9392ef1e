"""`sbtools bank`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import click

from sbtools.cli import complete, options, run
from sbtools.cli.options import Common
from sbtools.cli.renamed import Renamed
from sbtools.errors import UsageError
from sbtools.inputs import is_stream
from sbtools.job import Job
from sbtools.records import Record

SCORES = ("max", "true", "entropy", "motion")


@click.command("bank", short_help="Choose frames that tell the class by themselves.",
               context_settings=options.CONTEXT)  # fmt: skip
@click.argument("inputs", metavar="[RUN] [INPUT]...", nargs=-1, type=click.Path(path_type=str))
@click.option("-o", "--output", metavar="STORE", type=click.Path(path_type=str, file_okay=False),
              default="bank", show_default=True, help="The store of chosen frames.")  # fmt: skip
@click.option("--scores", metavar="STORE", type=click.Path(path_type=str, file_okay=False),
              default="frame-scores", show_default=True,
              help="The store of the scores; what it holds is not computed again.")  # fmt: skip
@click.option("--score", type=click.Choice(SCORES), default="max", show_default=True,
              help="How a frame is scored, see above.")  # fmt: skip
@click.option("--every", type=click.IntRange(1), default=1, show_default=True, metavar="K",
              help="Score every K-th frame of a clip.")  # fmt: skip
@click.option("--quantiles", cls=Renamed, was="--slice", default=".5-1", show_default=True,
              metavar="LOW-HIGH",
              help="Between which quantiles of the scores frames are drawn.")  # fmt: skip
@click.option("--frames", type=click.IntRange(1), default=1024, show_default=True, metavar="N",
              help="How many frames to draw.")  # fmt: skip
@click.option("--size", type=click.IntRange(1, 4096), default=224, show_default=True,
              metavar="PIXELS", help="Their height and width in the store.")  # fmt: skip
@click.option("--which", type=click.Choice(["last", "best", "ema"]),
              help="Which weights of the run.  [default: best where one was selected]")  # fmt: skip
@click.option("--device", default="auto", show_default=True, metavar="NAME",
              shell_complete=complete.DEVICE,
              help="auto, cpu, cuda or cuda:N.")  # fmt: skip
@options.store_options
@options.stage_of_a_run
def command(
    common: Common,
    parts: dict[str, Any],
    output: str,
    scores: str,
    score: str,
    every: int,
    quantiles: str,
    frames: int,
    size: int,
    which: str | None,
    device: str,
) -> int:
    """Score single frames by how much they tell, and keep a choice of them in a store.

    RUN is a run of a network that sees single frames, trained on single frames. The bank is what
    `sbtools train --method stillmix` mixes into clips.

    \b
    max      the largest softmax probability (StillMix)
    true     that of the clip's class (StillMix)
    entropy  1 - H(p) / log K
    motion   minus the mean difference to the frames beside it; RUN is left out

    \b
    Examples:
      sbtools train --model linear --set-model backbone=swin_t --frames 1 -o runs/frames train.jsonl
      sbtools bank runs/frames -o bank/ train.jsonl --records scored.jsonl
    """
    judged, common = _split(common, score)

    def stage(incoming: Iterator[Record], job: Job) -> Iterator[Record]:
        from sbtools.bank.asked import Bank
        from sbtools.bank.choice import Slice
        from sbtools.bank.stage import bank

        asked = Bank(judged, score, every, Slice.parse(quantiles), frames, size, which, device)
        return bank(incoming, job, asked, output, scores, run=run.provenance(job), **parts)

    places = (os.path.join(folder, "") for folder in (scores, output))
    made = "scores in {}, chosen frames in {}".format(*places)
    return run.filter_records(common, stage, made=made, done=lambda: run.ids_in(
        scores, common.shard, parts["overwrite"], parts["retry_failed"]
    ))  # fmt: skip


def _split(common: Common, score: str) -> tuple[str | None, Common]:
    """RUN, where a model scores, and the flags with the INPUTs alone."""
    inputs = common.inputs
    named = bool(inputs) and not is_stream(inputs[0])
    if score == "motion" and not (named and os.path.lexists(os.path.join(inputs[0], "run.json"))):
        return None, common
    if not named:
        raise UsageError(
            "name a run that was trained on single frames: sbtools bank RUN [INPUT]..."
        )
    return common.inputs[0], replace(common, inputs=common.inputs[1:])
