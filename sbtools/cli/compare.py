"""`sbtools compare`."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click

from sbtools.cli import compare_table, complete, messages, options
from sbtools.errors import UsageError

log = logging.getLogger("sbtools")
VERSUS = "vs"


@click.command(
    "compare",
    short_help="Compare two results, or hold a published number against its clips.",
    context_settings=options.CONTEXT,
)
@click.argument("inputs", metavar="[A.json B.json | A.json... vs B.json...]", nargs=-1,
                type=click.Path(path_type=str))  # fmt: skip
@click.option("--difference", is_flag=True,
              help="How much more B gains with a bias: A0 B0 A1 B1, for each seed.")  # fmt: skip
@click.option("--view", "views", multiple=True, metavar="NAME",
              shell_complete=complete.names("views"),
              help="Compare only this view; repeatable.  [default: all]")  # fmt: skip
@click.option("--test-clips", type=click.Choice(["auto", "own", "shared"]), default="auto",
              show_default=True,
              help="Of several seeds: does each have test clips of its own?")  # fmt: skip
@click.option("--draws", type=click.IntRange(0), hidden=True, help="Without effect.")
@click.option("--seed", type=int, hidden=True, help="Without effect.")
@click.option("--published", "published", multiple=True, metavar="PERCENT",
              help="A published percentage, with its decimals as printed; repeatable.")  # fmt: skip
@click.option("--clips", type=click.IntRange(1), metavar="N",
              help="With --published: can it be a share of N clips?")  # fmt: skip
@click.option("--up-to", type=click.IntRange(1), metavar="N",
              help="With --published: which numbers of clips up to N fit all of them?")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@options.talk_options
def command(
    inputs: tuple[str, ...],
    difference: bool,
    views: tuple[str, ...],
    test_clips: str,
    draws: int | None,
    seed: int | None,
    published: tuple[str, ...],
    clips: int | None,
    up_to: int | None,
    as_json: bool,
    quiet: bool,
    verbose: int,
) -> int:
    """Say whether two results differ, over the clips that both judged.

    For every view: top1 of A and of B, B less A with its 95 % interval, the clips that only one of
    them gets right with McNemar's test, and the smallest difference that could have been seen.
    Two results are two trainings: to compare recipes, give the seeds of both, with vs between them;
    the intervals are Student's t over seeds then.

    With --difference, results come in fours: A and B trained without a bias (A0, B0) and with it
    (A1, B1), seed after seed. Told is what B gains in either case, and the difference of the two.

    With --published no result is read: can such a percentage come from so many clips at all?

    Exit status: 3 when a published number fits no count of the clips.

    \b
    Examples:
      sbtools compare results/plain.json results/bg50.json
      sbtools compare --view bg --json results/plain.json results/bg50.json
      sbtools compare seeds/plain-*.json vs seeds/bg50-*.json
      sbtools compare --published 16.50 --clips 576    # exit status 3
      sbtools compare --published 74.42 --published 61.55 --up-to 2500
    """
    messages.begin_command(verbose, quiet)
    if published:
        if inputs or views or difference:
            raise UsageError(
                "--published reads no results: leave files, --view and --difference out"
            )
        if (clips is None) == (up_to is None):
            raise UsageError("--published needs --clips N, or --up-to N")
        return _fit(published, clips, as_json) if clips else _sizes(published, up_to or 0, as_json)
    if clips or up_to:
        raise UsageError("--clips and --up-to go with --published")
    if difference:
        return _differ(inputs, views, test_clips, as_json)
    if VERSUS in inputs:
        return _arms(inputs, views, test_clips, as_json)
    if len(inputs) != 2:
        raise UsageError(
            "give two result files, A.json B.json, as sbtools eval -o writes them, or the seeds of "
            "two arms, A.json... vs B.json..."
        )
    return _compare(inputs, views, as_json)


def _compare(paths: Sequence[str], views: Sequence[str], as_json: bool) -> int:
    from sbtools.evaluate import combine, result

    a, b = (result.read(path) for path in paths)
    _warn_unchecked({paths[0]: a, paths[1]: b})
    found = combine.compare(a, b)
    found["views"] = _only(found["views"], views, lambda name: name)
    if "metrics" in found and views:
        own = found["metrics"].items()
        found["metrics"] = {name: one for name, one in own if _view_of(name) in views}
    return _told({"a": paths[0], "b": paths[1], **found}, compare_table.clips, as_json)


def _warn_unchecked(read: Mapping[str, Mapping[str, Any]]) -> None:
    from sbtools.evaluate import result

    names = [path for path, found in read.items() if result.unchecked(found)]
    if names:
        log.warning("%s: %s", ", ".join(names), result.UNCHECKED)


def _arms(paths: Sequence[str], views: Sequence[str], test_clips: str, as_json: bool) -> int:
    from sbtools.evaluate import differences, result

    at = paths.index(VERSUS)
    sides = paths[:at], paths[at + 1 :]
    if VERSUS in sides[1] or not all(sides):
        raise UsageError("give the seeds of two arms: A.json... vs B.json...")
    a, b = ([result.read(path) for path in side] for side in sides)
    _warn_unchecked(dict(zip((*sides[0], *sides[1]), (*a, *b), strict=True)))
    if len(a) == len(b) == 1:
        raise UsageError("two results of one seed each are compared without vs: A.json B.json")
    found = differences.arms(a, b, test_clips)
    found["outcomes"] = _only(found["outcomes"], views, _view_of)
    return _told({"results": list(paths), **found}, compare_table.arms, as_json)


def _differ(paths: Sequence[str], views: Sequence[str], test_clips: str, as_json: bool) -> int:
    from sbtools.evaluate import differences, result

    if not paths or len(paths) % 4:
        raise UsageError(
            f"--difference takes results in fours, A0 B0 A1 B1 for each seed, not {len(paths)}"
        )
    read = {path: result.read(path) for path in dict.fromkeys(paths)}
    _warn_unchecked(read)
    fours = [[read[path] for path in paths[at : at + 4]] for at in range(0, len(paths), 4)]
    found = differences.contrasts(fours, test_clips)
    for one in found["contrasts"]:
        one["outcomes"] = _only(one["outcomes"], views, _view_of)
    return _told({"results": list(paths), **found}, compare_table.contrasts, as_json)


def _view_of(outcome: str) -> str:
    from sbtools.evaluate.outcomes import view_of

    return view_of(outcome)[1]


def _only(
    found: Mapping[str, Any], views: Sequence[str], view_of: Callable[[str], str]
) -> dict[str, Any]:
    """What is of the views asked for; UsageError for one that is not there."""
    there = dict.fromkeys(view_of(name) for name in found)
    lacking = [view for view in views if view not in there]
    if lacking:
        raise UsageError(f"view {lacking[0]} is not in all results: name one of {', '.join(there)}")
    return {name: one for name, one in found.items() if not views or view_of(name) in views}


def _told(
    found: Mapping[str, Any], table: Callable[[Mapping[str, Any]], Iterator[str]], as_json: bool
) -> int:
    for message in found["warnings"]:
        log.warning("%s", message)
    lines = [json.dumps(found, allow_nan=False)] if as_json else table(found)
    for line in lines:
        messages.show(line)
    return 0


def _fit(published: Sequence[str], clips: int, as_json: bool) -> int:
    from sbtools.evaluate.granularity import by_chance, counts, exact

    fits = {value: counts(value, clips) for value in published}
    if as_json:
        told = {value: list(fit) for value, fit in fits.items()}
        click.echo(json.dumps({"clips": clips, "counts": told}))
    else:
        for value, fit in fits.items():
            click.echo(f"{value.rstrip('%')} % of {clips} clips: {_fitting(value, fit, clips)}")
        share = max(by_chance(clips, exact(value)[1]) for value in published)
        log.info("of all such percentages, %.3g %% can be a share of %d clips", 100 * share, clips)
    return 0 if all(fits.values()) else 3


def _fitting(value: str, fit: range, clips: int) -> str:
    from sbtools.evaluate.granularity import exact

    number, decimals = exact(value)
    if fit:
        ends = f"{fit[0]}" if len(fit) == 1 else f"{fit[0]} to {fit[-1]}"
        return f"fits {ends}"
    below = int(number * clips / 100)
    near = (f"{count} are {100 * count / clips:.{decimals + 1}f}" for count in (below, below + 1))
    return f"fits no count ({', '.join(near)})"


def _sizes(published: Sequence[str], up_to: int, as_json: bool) -> int:
    from sbtools.evaluate.granularity import by_chance, exact, sizes

    found = sizes(published, up_to)
    if as_json:
        click.echo(json.dumps({"published": published, "up_to": up_to, "clips": found}))
        return 0 if found else 3
    if not found:
        click.echo(f"no number of clips up to {up_to} fits: not one set of clips, perhaps")
        return 3
    if all(by_chance(up_to, exact(value)[1]) >= 1 for value in published):
        log.warning("with so few decimals and so many clips almost every number fits")
    for count in found:
        click.echo(str(count))
    return 0
