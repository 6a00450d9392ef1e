"""`sbtools detect`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from sbtools.cli import backends, messages, options, run
from sbtools.cli.options import Common
from sbtools.job import Job
from sbtools.kept import kept_ids, shard_path
from sbtools.records import Record


@click.command(
    "detect", short_help="Find the boxes of people and objects.", context_settings=options.CONTEXT
)
@backends.DETECTOR
@backends.PERSON
@backends.OBJECT
@backends.weights("--weights", "detector: a HuggingFace folder, or a name on the hub")
@backends.DOWNLOAD
@backends.DEVICE
@backends.BATCH_FRAMES
@click.option("--frames", type=backends.Frames(), default="8", show_default=True,
              help="Frames to look at: 8, segments:8x4, all, or every:K.")  # fmt: skip
@click.option(
    "--tracks",
    is_flag=True,
    help="Give the boxes of one person or thing a number, the same in all frames.",
)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE",
              help="A setting of the detector; repeatable.")  # fmt: skip
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=str, dir_okay=False),
              help="Keep the records in this .jsonl file too, and continue it.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Begin FILE anew.")
@options.stage_options
def command(
    common: Common,
    detector: str,
    person: str | None,
    objects: tuple[str, ...],
    weights: str | None,
    download: bool,
    device: str | None,
    batch_frames: str | None,
    frames: str,
    tracks: bool,
    settings: tuple[str, ...],
    output: str | None,
    overwrite: bool,
) -> int:
    """Find the boxes of people and objects in every clip.

    \b
    Examples:
      sbtools detect clips.jsonl -o boxes.jsonl | sbtools segment -o steps/ > masks.jsonl
      sbtools detect --weights grounding-dino-tiny/ --object "baseball bat" clips/ > bats.jsonl
      sbtools detect --detector hog --frames every:5 clips.jsonl > hog.jsonl
    """
    messages.begin_command(common.verbose, common.quiet)

    def stage(incoming: Iterator[Record], job: Job) -> Iterator[Record]:
        from sbtools.detect.stage import detect

        choice = backends.detector(
            common, detector, settings, weights=weights, person=person, download=download,
            device=device, batch_frames=batch_frames,
        )  # fmt: skip

        return detect(
            incoming, job, choice, frames=frames, prompts=objects, tracks=tracks, keep=output,
            overwrite=overwrite,
        )  # fmt: skip

    show = output is None or not sys.stdout.isatty()
    kept = shard_path(output, common.shard) if output and not overwrite else None
    return run.filter_records(common, stage, write=show, done=lambda: kept_ids(kept))
