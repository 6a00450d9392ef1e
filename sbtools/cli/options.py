"""Each flag that commands share, once."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from sbtools.cli import config, shards
from sbtools.job import available_cores

F = TypeVar("F", bound=Callable[..., Any])
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Shard(click.ParamType):
    """ "i/n", 0 <= i < n, or "i" of as many as `sbtools.cli.shards` finds: (i, 0)."""

    name = "I[/N]"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d{1,6})(?:/(\d{1,6}))?", value)
        if not found or (found[2] and int(found[1]) >= int(found[2])):
            self.fail(f"'{value}' is not I/N with 0 <= I < N, as in 0/64", param, ctx)
        return int(found[1]), int(found[2] or 0)


@dataclass(frozen=True)
class Tolerance:
    """How many clips may fail before the exit status is 3: a count, or a share of all."""

    count: int = 0
    share: float | None = None

    def allows(self, failed: int, total: int) -> bool:
        """Whether `failed` of `total` clips is still a success."""
        return failed <= (self.count if self.share is None else self.share * total)


class MaxFailed(click.ParamType):
    """ "N" or "P%"."""

    name = "N|P%"

    def convert(self, value: Any, param: Any, ctx: Any) -> Tolerance:
        if isinstance(value, Tolerance):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", str(value))
        if found and found[2] and float(found[1]) <= 100:
            return Tolerance(share=float(found[1]) / 100)
        if not found or found[2] or "." in found[1]:
            self.fail(f"'{value}' is neither a count nor a share, as in 10 or 2%", param, ctx)
        return Tolerance(count=int(found[1]))


@dataclass(frozen=True)
class Common:
    """The values of the flags that `stage_options` adds."""

    inputs: tuple[str, ...]
    root: Path
    workers: int
    seed: int
    shard: tuple[int, int]
    limit: int | None
    label_from: str
    clip_timeout: float
    max_failed: Tolerance
    strict: bool
    dry_run: bool
    quiet: bool
    verbose: int
    stills: bool = False
    lists: tuple[str, ...] = ()
    labels: str | None = None
    records: str | None = None


INPUTS = click.argument("inputs", metavar="[INPUT]...", nargs=-1, type=click.Path(path_type=str))
ROOT = click.option(
    "--root",
    type=click.Path(path_type=Path),
    envvar="SBTOOLS_ROOT",
    help="The folder in which relative paths of records begin.  [default: $SBTOOLS_ROOT, else .]",
)
TALK = (
    click.option("-q", "--quiet", is_flag=True, help="Errors alone on stderr."),
    click.option("-v", "--verbose", count=True, help="More on stderr; -vv adds tracebacks."),
    click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        is_eager=True,
        expose_value=False,
        callback=config.load,
        help="TOML file of defaults: top-level keys for all commands, [COMMAND] for one.",
    ),
)

LABEL_FROM = click.option(
    "--label-from",
    type=click.Choice(["folder", "none"]),
    default="folder",
    show_default=True,
    help="Where the labels of videos and folders come from.",
)

SEED = click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of all randomness."
)
LIMIT = click.option(
    "--limit", type=click.IntRange(0, 10**9), help="Take the first so many clips, no more."
)
MAX_FAILED = click.option(
    "--max-failed",
    type=MaxFailed(),
    default="0",
    show_default=True,
    help="Exit 3 when more clips fail than this count or share.",
)
DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")

RETRY_FAILED = click.option(
    "--retry-failed",
    is_flag=True,
    help="Of a shard, try clips again that failed; without one they always are.",
)
RECORDS = click.option(
    "--records",
    metavar="FILE",
    type=click.Path(path_type=str, dir_okay=False, allow_dash=True),
    help="Write the records to this .jsonl file, whole or not at all; - prints them.",
)
THREADS = click.option(
    "--threads", type=click.IntRange(1), metavar="N",
    help="Threads that compute on the CPU, of each process.  "
    "[default: $OMP_NUM_THREADS, else by the work of a batch]",
)  # fmt: skip

ALLOW_MISSING = click.option(
    "--allow-missing", is_flag=True, help="Go on although shards of the store are missing."
)

CLIP_TIMEOUT = click.option(
    "--clip-timeout",
    type=click.FloatRange(0, min_open=True),
    default=3600.0,
    show_default=True,
    help="Seconds after which a clip counts as failed (with workers).",
)

STAGE = (
    INPUTS,
    ROOT,
    click.option(
        "--workers",
        type=click.IntRange(0),
        help="Worker processes; 0 works in this one.  [default: the cores at hand]",
    ),
    SEED,
    click.option(
        "--shard",
        type=Shard(),
        envvar="SBTOOLS_SHARD",
        help="Take the clips whose sha1(id) mod N is I; N as before where it is left out.  "
        "[default: $SBTOOLS_SHARD]",
    ),
    LIMIT,
    LABEL_FROM,
    CLIP_TIMEOUT,
    MAX_FAILED,
    click.option("--strict", is_flag=True, help="Stop at the first clip that fails."),
    RECORDS,
    DRY_RUN,
    *TALK,
)

STORE = (
    click.option("--overwrite", is_flag=True, help="Begin the store anew, dropping what it holds."),
    click.option("--take-over", is_flag=True, help="Take the lock of a writer that is gone."),
    RETRY_FAILED,
    click.option("--part-clips", type=click.IntRange(1), default=64, show_default=True,
                 help="Clips after which a part of the store closes."),
    click.option("--part-bytes", type=click.IntRange(1), default=256 << 20, show_default=True,
                 help="Bytes after which it closes."),
    click.option("--part-seconds", type=click.FloatRange(0), default=10.0, show_default=True,
                 help="Seconds after which it closes."),
)  # fmt: skip


def stage_options(function: F) -> F:
    """Add INPUT... and the flags of every stage; the command receives them as `common`."""
    return _decorated(_common(function), STAGE)


def stage_of_a_file(function: F) -> F:
    """Add INPUT... and the flags of a stage, but for --records: what keeps them is the command's
    own."""
    return _decorated(_common(function), [option for option in STAGE if option is not RECORDS])


def stage_of_a_run(function: F) -> F:
    """Add the flags of a stage, but for INPUT...: `inputs` is the command's own, and begins with
    the run."""
    return _decorated(_common(function), [option for option in STAGE if option is not INPUTS])


def maker_options(function: F) -> F:
    """Add the flags of a stage that makes its records itself, to be received as `common`.

    The argument `inputs` is the command's own: where it makes them.
    """
    own = [option for option in STAGE if option not in (INPUTS, LABEL_FROM)]
    return _decorated(
        _common(function, lambda values: os.path.join(*values["inputs"], "masks")), own
    )


def stage_of_a_model(function: F) -> F:
    """Add the flags of a stage, but for INPUT... and --clip-timeout, which are the command's own.

    They are received as `common`; the argument `inputs` begins with the run.
    """
    own = [option for option in STAGE if option not in (INPUTS, CLIP_TIMEOUT)]
    return _decorated(_common(function), own)


def _common(function: Any, place_of: Callable[[Any], str | None] = shards.place_of) -> Any:
    names = Common.__dataclass_fields__

    @functools.wraps(function)
    def collected(**values: Any) -> Any:
        values["root"] = Path(os.path.abspath(values["root"] or "."))
        values["shard"] = shards.resolve(values["shard"], place_of(values))
        values.setdefault("label_from", "none")
        for name in ("stills", "lists", "labels", "records"):
            values.setdefault(name, getattr(Common, name))
        if values["workers"] is None:
            values["workers"] = available_cores()
        common = Common(**{name: values.pop(name) for name in names})
        return function(common=common, **values)

    return collected


def few_options(function: F) -> F:
    """Add INPUT..., --root, --quiet, --verbose and --config, as they are."""
    return _decorated(function, (INPUTS, ROOT, *TALK))


def talk_options(function: F) -> F:
    """Add --quiet, --verbose and --config, as they are."""
    return _decorated(function, TALK)


def store_options(function: F) -> F:
    """Add the flags of a stage that writes a store; the command receives them as `parts`."""
    names = ("overwrite", "take_over", "retry_failed", "part_clips", "part_bytes",
             "part_seconds")  # fmt: skip

    @functools.wraps(function)
    def collected(**values: Any) -> Any:
        parts = {name: values.pop(name) for name in names}
        return function(parts=parts, **values)

    return _decorated(collected, STORE)


def _decorated(function: Any, options: Sequence[Any]) -> Any:
    for option in reversed(options):
        function = option(function)
    return function
