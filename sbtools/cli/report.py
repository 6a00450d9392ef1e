"""`sbtools report`."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from sbtools.cli import messages, options
from sbtools.cli.eval_options import SHOW_PATHS
from sbtools.cli.eval_output import make_folder_of, require_writable
from sbtools.errors import UsageError

log = logging.getLogger("sbtools")
UNREAD = 3


@click.command(
    "report",
    short_help="Put results side by side: a table, and a page to show to others.",
    context_settings=options.CONTEXT,
)
@click.argument("inputs", metavar="RESULT.json...", nargs=-1, type=click.Path(path_type=str))
@click.option("-o", "--output", metavar="PAGE.html", type=click.Path(path_type=str, dir_okay=False),
              help="Write one self-contained page, with plots.")  # fmt: skip
@click.option("--format", "kind", type=click.Choice(["table", "markdown", "csv", "latex"]),
              default="table", show_default=True, help="What is printed.")  # fmt: skip
@click.option("--columns", metavar="NAME,...",
              help="The metrics that are printed, as the results name them, in this order.  "
              "[default: the usual ones; csv: all]")  # fmt: skip
@click.option("--published", is_flag=True, help="Add published numbers, with what is odd in them.")
@click.option("--floor", metavar="RESULT.json", type=click.Path(path_type=str),
              help="A model trained without bias: the floor in the page's plots.")  # fmt: skip
@click.option("--details", type=click.IntRange(0), default=12, show_default=True,
              help="How many results the page shows each by itself.")  # fmt: skip
@SHOW_PATHS
@options.talk_options
def command(
    inputs: tuple[str, ...],
    output: str | None,
    kind: str,
    columns: str | None,
    published: bool,
    floor: str | None,
    details: int,
    show_paths: bool,
    quiet: bool,
    verbose: int,
) -> int:
    """Put the results of sbtools eval side by side.

    Only what can be compared stands in one table: one data set and split, one choice of classes,
    one view of P-top1, masks of one kind. Runs that differ in the seed alone are one row, with mean
    and standard deviation. Percent, but for ratios; csv holds shares, all metrics, nothing rounded.
    Results of SCUBA, SCUFO and ConflFG stand first, beside top1, a row for each training.

    What sbtools similarity and sbtools factors printed stands in tables of its own.

    A file that is empty, cut, newer or no result is named, and the rest goes on: exit status 3.

    \b
    Examples:
      sbtools report results/*.json
      sbtools report -o page.html --published results/*.json
      sbtools report --floor results/plain.json -o floor.html results/bg50.json
      sbtools report -o all.html results/*.json factors.json alike.json
    """
    messages.begin_command(verbose, quiet)
    _check(inputs, output)
    from sbtools import report
    from sbtools.report import of_features
    from sbtools.report.places import hidden

    results, measured, unread = of_features.parted(inputs)
    runs, faults = report.read_all([*results, *([floor] if floor else [])])
    faults += unread
    for fault in faults:
        log.warning("%s", fault)
    if not runs and not measured:
        log.error("none of %d files can be read: there is nothing to report", len(faults))
        return UNREAD
    joined, found = report.benchmarks(report.tables(runs))
    told = report.notices(found, faults, floor, published, joined)
    for notice in told[len(faults) :]:
        log.warning("%s", notice)
    told = told if show_paths else [replace(one, message=hidden(one.message)) for one in told]
    whole = [*joined, *found]
    _print(whole, found, told, kind, columns.split(",") if columns else [], published, measured)
    if output:
        from sbtools.report import page

        text = page.page(
            found, told, joined, with_published=published, floor=floor, details=details,
            more=of_features.grids(measured), paths=show_paths,
        )  # fmt: skip
        make_folder_of(output)
        page.write(output, text)
    return UNREAD if faults else 0


def _check(inputs: Sequence[str], output: str | None) -> None:
    if not inputs:
        raise UsageError("give result files, as sbtools eval -o writes them: results/*.json")
    if output is not None and not output.lower().endswith((".html", ".htm")):
        raise UsageError(f"a page is an HTML file: -o {output!a} must end in .html")
    if output is not None:
        require_writable(output)


def _print(
    whole: Sequence[Any],
    found: Sequence[Any],
    told: Sequence[Any],
    kind: str,
    columns: Sequence[str],
    published: bool,
    measured: Sequence[Any],
) -> None:
    from sbtools.report import grid, novel, of_features, terminal, text

    grid.check_columns(whole, columns)
    grids = [*grid.grids(whole, columns, published), *novel.grids(found)]
    grids += of_features.grids(measured)
    if kind == "csv":
        made = text.as_csv(whole, columns, published)
        made += of_features.csv_lines(measured, made.partition("\n")[0].count(",") + 1)
    elif kind in text.FORMATS:
        made = "\n".join(text.FORMATS[kind](grids, told)) + "\n"
    elif sys.stdout.isatty():
        made = terminal.drawn(grids, shutil.get_terminal_size().columns)
    else:
        made = "\n".join(text.plain(grids)) + "\n"
    click.echo(made.encode("utf-8", "backslashreplace"), nl=False)
