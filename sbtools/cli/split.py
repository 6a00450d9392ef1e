"""`sbtools split`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from sbtools import records
from sbtools.cli import complete, messages, options, run
from sbtools.cli.options import Common
from sbtools.errors import UsageError
from sbtools.files import is_flow
from sbtools.job import Job
from sbtools.records import Record


class ShareOrCount(click.ParamType):
    """ "N" or "P%"."""

    name = "N|P%"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        from sbtools.index.draws import Amount

        if isinstance(value, Amount):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", str(value))
        number = float(found[1]) if found else 0.0
        if found and found[2] and 0 < number < 100:
            return Amount(share=number / 100)
        if found and not found[2] and number >= 1 and "." not in found[1]:
            return Amount(int(found[1]))
        self.fail(f"'{value}' is neither clips of each class nor their share, as in 2 or 10%",
                  param, ctx)  # fmt: skip


@click.command(
    "split",
    short_help="Choose clips by class, length and draw; set their split.",
    context_settings=options.CONTEXT,
)
@click.option(
    "--classes", metavar="FILE|A,B", shell_complete=complete.file, help="Keep only these classes."
)
@click.option(
    "--exclude", metavar="FILE|A,B", shell_complete=complete.file, help="Leave these classes out."
)
@click.option(
    "--group",
    type=click.Choice(["base", "novel"]),
    help="Keep the base classes: the half that training has most of; or the others.",
)
@click.option(
    "--base",
    metavar="FILE|A,B",
    shell_complete=complete.file,
    help="The base classes, instead of the half with most clips.",
)
@click.option(
    "--counts",
    metavar="FILE",
    type=click.Path(path_type=str),
    help="Records (.jsonl) that training clips are counted in, instead of INPUT.",
)
@click.option("--min-frames", type=click.IntRange(1), help="Leave shorter clips out.")
@click.option(
    "--hold-out",
    type=ShareOrCount(),
    help="Hold clips, or a share, of each class back from training, by source.",
)
@click.option(
    "--hold-out-as",
    metavar="NAME",
    default="val",
    show_default=True,
    help="The split of clips held out.",
)
@click.option("--shots", metavar="K", type=click.IntRange(1), help="Draw K training clips a class.")
@click.option("--set-split", metavar="NAME", help="Give all clips this split; done first.")
@click.option("--only", metavar="NAME,...", help="Keep only clips of these splits; done last.")
@click.option(
    "--train",
    metavar="NAME",
    default="train",
    show_default=True,
    help="The split that is drawn from and counted.",
)
@click.option(
    "--write-classes",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the names of the classes that are left, one a line.",
)
@options.stage_options
def command(
    common: Common,
    classes: str | None,
    exclude: str | None,
    base: str | None,
    counts: str | None,
    only: str | None,
    write_classes: Path | None,
    **rest: Any,
) -> int:
    """Choose clips by class, by length, by draw; set their split.

    Clips of a split other than the one that is drawn from are never drawn.

    \b
    Examples:
      sbtools split --set-split train --hold-out 1 --only train all.jsonl --records train.jsonl
      sbtools split --set-split train --hold-out 1 --only val all.jsonl --records val.jsonl
      sbtools split --exclude mimetics_v1.0.csv k400-train.jsonl --records k350.jsonl
    """  # fmt: skip
    messages.begin_command(common.verbose, common.quiet)
    from sbtools.index.split import Choice, Split

    if rest["group"] is None and (base or counts):
        raise UsageError("--base and --counts need --group base, or --group novel")
    choice = Choice(
        classes=_names(classes), exclude=_names(exclude) or (), base=_names(base),
        counts=_counted(counts, rest["train"]) if counts else None,
        only=tuple(filter(None, (only or "").split(","))), seed=common.seed, **rest,
    )  # fmt: skip
    if write_classes is not None:
        is_flow(write_classes)  # refuses what no file can be put in place of
    if common.shard[1] > 1 and (choice.draws or choice.counts_classes):
        raise UsageError(
            "a draw needs all clips at once: leave --shard out, and shard what is printed"
        )

    def stage(incoming: Iterator[Record], job: Job) -> Iterator[Record]:
        made = Split(choice, job.stop)
        yield from made.records(incoming)
        if write_classes is not None and not job.stop():
            _write(write_classes, made.classes())

    return run.filter_records(common, stage, made=None)


def _names(text: str | None) -> tuple[str, ...] | None:
    from sbtools.index.labels import listed

    return None if text is None else tuple(listed(text).names)


def _counted(path: str, train: str) -> Counter[str]:
    from sbtools.index.split import count_classes

    try:
        with open(path, "rb") as stream:
            return count_classes(records.read(stream, path), train)
    except OSError as error:
        raise UsageError(f"--counts {path} cannot be read: {error.strerror}") from None


def _write(path: Path, names: list[str]) -> None:
    from sbtools.store.output import write_whole

    write_whole(str(path), "".join(f"{name}\n" for name in names).encode("utf-8"))
