"""`sbtools compare`."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from sbtools.cli import messages, options
from sbtools.errors import UsageError

log = logging.getLogger("sbtools")
CELLS, GAINS = ("a0", "b0", "a1", "b1"), ("gain0", "gain1", "difference")


@click.command(
    "compare",
    short_help="Compare two results, or hold a published number against its clips.",
    context_settings=options.CONTEXT,
)
@click.argument("inputs", metavar="[A.json B.json]", nargs=-1, type=click.Path(path_type=str))
@click.option("--difference", is_flag=True,
              help="What a bias adds to B's gain: A0 B0 A1 B1, for each seed.")  # fmt: skip
@click.option("--view", "views", multiple=True, metavar="NAME",
              help="Compare this view alone; repeatable.  [default: all]")  # fmt: skip
@click.option("--draws", type=click.IntRange(0), default=1000, show_default=True,
              help="Draws of the bootstrap.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the draws.")
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
    draws: int,
    seed: int,
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

    With --difference, results come in fours: A and B trained without a bias (A0, B0) and with it
    (A1, B1). Told is what B gains in either case, and the difference of the two.

    With --published no result is read: can such a percentage come from so many clips at all?

    Exit status: 3 when a published number fits no count of the clips.

    \b
    Examples:
      sbtools compare results/none.json results/bg50.json
      sbtools compare --view bg --json a.json b.json
      sbtools compare --difference free/none.json free/bg50.json bias/none.json bias/bg50.json
      sbtools compare --published 16.50 --clips 576
      sbtools compare --published 74.42 --published 61.55 --up-to 2500
    """
    messages.begin_command(verbose, quiet)
    if published:
        if inputs or views or difference:
            raise UsageError("--published stands alone: it reads no results")
        if (clips is None) == (up_to is None):
            raise UsageError("--published needs --clips N, or --up-to N")
        return _fit(published, clips, as_json) if clips else _sizes(published, up_to or 0, as_json)
    if clips or up_to:
        raise UsageError("--clips and --up-to go with --published")
    if difference:
        return _differ(inputs, views, draws, seed, as_json)
    if len(inputs) != 2:
        raise UsageError("give two result files, A.json B.json, as sbtools eval -o writes them")
    return _compare(inputs, views, draws, seed, as_json)


def _compare(
    paths: Sequence[str], views: Sequence[str], draws: int, seed: int, as_json: bool
) -> int:
    from sbtools.evaluate import combine, result

    a, b = (result.read(path) for path in paths)
    _warn_unchecked({paths[0]: a, paths[1]: b})
    found = combine.compare(a, b, draws, seed)
    lacking = [view for view in views if view not in found["views"]]
    if lacking:
        raise UsageError(
            f"view {lacking[0]} is not in both; {', '.join(found['views'])} are: name one of them"
        )
    found["views"] = {v: s for v, s in found["views"].items() if not views or v in views}
    for message in found["warnings"]:
        log.warning("%s", message)
    if as_json:
        click.echo(json.dumps({"a": paths[0], "b": paths[1], **found}, allow_nan=False))
        return 0
    for line in _table(paths, found):
        click.echo(line.encode("utf-8", "backslashreplace"))
    return 0


def _warn_unchecked(read: Mapping[str, Mapping[str, Any]]) -> None:
    from sbtools.evaluate import result

    names = [path for path, found in read.items() if result.unchecked(found)]
    if names:
        log.warning("%s: %s", ", ".join(names), result.UNCHECKED)


def _table(paths: Sequence[str], found: Mapping[str, Any]) -> Iterator[str]:
    yield f"A  {paths[0]}"
    yield f"B  {paths[1]}"
    yield f"{found['count']} clips from {found['sources']} sources; top1 in percent"
    yield (
        f"{'view':<13}{'A':>7}{'B':>8}{'B - A':>8}  {'95 % interval':<18}"
        f"{'only A':>7}{'only B':>8}{'exact p':>9}{'mid-p':>9}{'detectable':>11}"
    )
    for name, view in found["views"].items():
        low, high = view["difference"]["interval"] or (None, None)
        only_a, only_b = view["discordant"]
        interval = f"[{_signed(low)}, {_signed(high)}]"
        yield (
            f"{name:<13}{_percent(view['a']['value']):>7}{_percent(view['b']['value']):>8}"
            f"{_signed(view['difference']['value']):>8}  {interval:<18}{only_a:>7}{only_b:>8}"
            f"{view['exact']:>9.3g}{view['mid_p']:>9.3g}{_percent(view['detectable']):>11}"
        )


def _differ(
    paths: Sequence[str], views: Sequence[str], draws: int, seed: int, as_json: bool
) -> int:
    from sbtools.evaluate import differences, result

    if not paths or len(paths) % 4:
        raise UsageError(
            f"--difference takes results in fours, A0 B0 A1 B1 for each seed, not {len(paths)}"
        )
    read = {path: result.read(path) for path in dict.fromkeys(paths)}
    _warn_unchecked(read)
    fours = [[read[path] for path in paths[at : at + 4]] for at in range(0, len(paths), 4)]
    found = differences.contrasts(fours, draws, seed)
    for one in found["contrasts"]:
        known = {name.split()[1] for name in one["outcomes"]}
        lacking = [view for view in views if view not in known]
        if lacking:
            raise UsageError(f"view {lacking[0]} is not in all; {', '.join(sorted(known))} are")
        one["outcomes"] = {
            name: outcome
            for name, outcome in one["outcomes"].items()
            if not views or name.split()[1] in views
        }
    for message in found["warnings"]:
        log.warning("%s", message)
    if as_json:
        click.echo(json.dumps({"results": list(paths), **found}, allow_nan=False))
        return 0
    for line in _contrast_table(found["contrasts"]):
        click.echo(line.encode("utf-8", "backslashreplace"))
    return 0


def _contrast_table(contrasts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for one in contrasts:
        yield f"A  {one['a']}"
        yield f"B  {one['b']}"
        yield f"{_counted(one['seeds'], 'seed')}; in percent"
        wide = max([19, *map(len, one["outcomes"])]) + 1
        yield (
            f"{'outcome':<{wide}}{'A0':>7}{'B0':>7}{'A1':>7}{'B1':>7}{'gain 0':>8}{'gain 1':>8}"
            f"{'differ':>8}  {'95 % interval':<18}{'Holm p':>8}"
        )
        for name, found in one["outcomes"].items():
            cells = "".join(f"{_percent(found[cell]['value']):>7}" for cell in CELLS)
            gains = "".join(f"{_signed(found[gain]['value']):>8}" for gain in GAINS)
            low, high = found["difference"]["interval"] or (None, None)
            interval = f"[{_signed(low)}, {_signed(high)}]"
            p = "-" if found["holm"] is None else f"{found['holm']:.2g}"
            yield f"{name:<{wide}}{cells}{gains}  {interval:<18}{p:>8}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"


def _signed(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:+.2f}"


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
