"""`sbtools view`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import click

from sbtools.cli import messages, options, run
from sbtools.cli.options import Common
from sbtools.cli.renamed import Renamed
from sbtools.errors import UsageError
from sbtools.files import is_flow
from sbtools.job import Job
from sbtools.records import Record


@click.command(
    "view", short_help="Draw contact sheets and overlay videos.", context_settings=options.CONTEXT
)
@click.option("-o", "--output", metavar="FILE.png",
              type=click.Path(path_type=str, dir_okay=False),
              help="The contact sheet; more pages go to FILE-001.png, FILE-002.png.")  # fmt: skip
@click.option("--video", metavar="DIR", type=click.Path(path_type=str, file_okay=False),
              help="One overlay video per clip: DIR/ID.mp4.")  # fmt: skip
@click.option("--what", type=click.Choice(["auto", "frames", "masks", "pixels"]), default="auto",
              show_default=True, help="What to show: the video's bare frames, masks and boxes, or "
              "pixels; auto takes pixels, else masks, else frames with boxes.")  # fmt: skip
@click.option("--columns", type=click.IntRange(1, 64), default=8, show_default=True,
              help="Frames of a clip on the sheet, at most.")  # fmt: skip
@click.option("--rows", type=click.IntRange(1, 1000), default=12, show_default=True,
              help="Clips on a page.")  # fmt: skip
@click.option("--frame-width", cls=Renamed, was="--cell", type=click.IntRange(32, 1024),
              default=240, show_default=True,
              help="Pixels that a frame on the sheet is wide.")  # fmt: skip
@options.stage_options
def command(
    common: Common,
    output: str | None,
    video: str | None,
    what: str,
    columns: int,
    rows: int,
    frame_width: int,
) -> int:
    """Draw what there is to see of every clip: a contact sheet, overlay videos, or both.

    People are outlined in pink, objects in yellow. Records pass through unchanged, so that view
    can be put in a pipe; on a terminal they are not printed. A clip that cannot be drawn gets a row
    that says why.

    A video shows each frame that has masks (or was looked at) with its own, evenly over the time
    that the clip lasts: after `segment --frames all` the whole clip at its own speed, after
    --frames 8 eight pictures. A frame without a mask of its own is never shown with another's.

    \b
    Examples:
      sbtools view masks.jsonl -o sheet.png
      sbtools segment --frames all -o all-frames/ clips/ | sbtools view --video overlay/
    """
    messages.begin_command(common.verbose, common.quiet)
    _check(output, video)

    def stage(incoming: Iterator[Record], job: Job) -> Iterator[Record]:
        from sbtools.view.stage import view

        return view(
            incoming, job, sheet=output, video=video, what=what, columns=columns, rows=rows,
            cell=frame_width,
        )  # fmt: skip

    told = [output and f"drawn in {output}", video and f"videos in {os.path.join(video, '')}"]
    return run.filter_records(common, stage, made=", ".join(filter(None, told)), hint=False)


def _check(output: str | None, video: str | None) -> None:
    if output is None and video is None:
        raise UsageError("nothing to draw: give -o FILE.png, --video DIR, or both")
    if output is not None and not output.lower().endswith(".png"):
        raise UsageError(f"a contact sheet is a PNG image: -o {output!a} must end in .png")
    if output is not None:
        is_flow(output)  # refuses what no picture can be put in place of
