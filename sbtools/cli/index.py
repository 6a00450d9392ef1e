"""`sbtools index`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from sbtools.cli import options, run
from sbtools.cli.options import Common
from sbtools.job import Job
from sbtools.records import Record


@click.command(
    "index",
    short_help="List videos and frame folders as records.",
    context_settings=options.CONTEXT,
)
@click.option("--verify", is_flag=True, help="Decode every frame, not only count the packets.")
@options.stage_options
def command(common: Common, verify: bool) -> int:
    """List videos and frame folders as records, one for each clip.

    \b
    INPUT is a video, a folder of videos or of frame folders, a list (.txt, a path
    a line), a .jsonl file or - for records from stdin, which are probed again.

    \b
    Examples:
      sbtools index clips/ > clips.jsonl
      sbtools index --verify train/ val/ --label-from folder > clips.jsonl
      find . -name '*.mp4' > list.txt; sbtools index list.txt > clips.jsonl
    """

    def stage(incoming: Iterator[Record], job: Job) -> Iterator[Record]:
        from sbtools.index.stage import index

        return index(incoming, job, verify=verify)

    return run.filter_records(common, stage)
