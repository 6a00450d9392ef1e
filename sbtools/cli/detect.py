"""`sbtools detect`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

import click

from sbtools.cli import backends, messages, options, run
from sbtools.cli.options import Common
from sbtools.cli.outputs import require_name
from sbtools.errors import UsageError
from sbtools.job import Job
from sbtools.records import Record
from sbtools.resumable import kept_ids, shard_path


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
@click.option("-o", "--output", "--records", "output", metavar="FILE",
              type=click.Path(path_type=str, dir_okay=False, allow_dash=True),
              help="Keep the records in this .jsonl file, and continue it; - prints "
              "them.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Begin FILE anew.")
@options.stage_of_a_file
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
      sbtools detect clips.jsonl -o boxes.jsonl | sbtools segment -o steps/ --records masks.jsonl
      sbtools detect --weights grounding-dino-tiny/ --object bat clips/ --records bats.jsonl
      sbtools detect --detector hog --frames every:5 clips.jsonl --records hog.jsonl
    """
    messages.begin_command(common.verbose, common.quiet)
    if output == "-":
        common, output = replace(common, records=output), None
    if output is not None:
        require_name(output)
    kept = None if output is None else shard_path(output, common.shard)
    _keep_apart(common.inputs or ("-",), kept)

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

    done = None if overwrite else kept
    return run.filter_records(common, stage, kept=kept, done=lambda: kept_ids(done))


def _keep_apart(inputs: Sequence[str], kept: str | None) -> None:
    """UsageError where the file of the records is read as an INPUT, too."""
    if kept is None or not os.path.exists(kept):
        return
    for path in inputs:
        found = os.fstat(0) if path == "-" else os.stat(path) if os.path.exists(path) else None
        if found is not None and os.path.samestat(found, os.stat(kept)):
            raise UsageError(f"{kept} is read, and cannot keep the records too: another -o")
