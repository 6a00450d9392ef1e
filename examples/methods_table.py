#!/usr/bin/env python
"""What examples/methods-demo.py concludes, from its result files alone.

    python examples/methods_table.py [--part moves|baselines|ablation|sweep] RESULTS
    python examples/methods_table.py --page man/sbtools-methods.7 examples/results/methods

--page puts what was moved into the manual.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from methods_arms import (
    ARMS,
    ENTROPY,
    GATES,
    LOSS,
    PARTS,
    SBERR,
    SCENE,
    SCENE_B,
    TOP1,
    VAL,
    WITHIN,
    Claim,
    Part,
)

from sbtools.evaluate import result
from sbtools.evaluate.seeds import paired

FIRST = '.\\" made by python examples/methods_table.py --page:\n'
LAST = '.\\" up to here\n'
WRONG = "**not as it should be**"
METHODS = {"moves": "", "baselines": "what others are compared with, "}
"""Parts whose arms are methods, and what the page calls them."""

SETTINGS = {"ablation": "disentangle taken apart", "sweep": "weights of disentangle's losses"}
"""Parts whose arms are settings of one method, and what the page calls them."""

SHORT = {TOP1: " top1", ENTROPY: "entropy", SCENE: "scene", SCENE_B: "in z_b",
         LOSS: " loss"}  # fmt: skip
"""Wide enough for a mean."""

Values = Mapping[str, Sequence[float]]
"""By quantity, one number for each seed, in percent; static entropy in percent of log K, a
loss in hundredths."""


def _metric(name: str) -> Callable[[Path], float]:
    return lambda path: float(result.read(str(path))["metrics"][name]["value"])


def _told(name: str) -> Callable[[Path], float]:
    return lambda path: float(json.loads(path.read_text())[name])


READ: dict[str, tuple[str, Callable[[Path], float]]] = {
    ENTROPY: ("static", _told("entropy")),
    SBERR: ("conflict", _metric("sberr")),
    TOP1: ("free", _metric("top1")),
    VAL: ("val", _metric("top1")),
    SCENE: ("scene", _told("accuracy")),
    SCENE_B: ("scene-b", _told("accuracy")),
    LOSS: ("train", _told("loss")),
}


class Results:
    """A folder of result files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, model: str, arm: str, seed: int, of: str) -> Path:
        return self.folder / f"{arm}-{model}-{seed}-{of}.json"

    def value(self, model: str, arm: str, seed: int, what: str) -> float | None:
        """None where it is not there yet, or the arm has no such thing."""
        of, read = READ[what]
        path = self.path(model, arm, seed, of)
        return 100 * read(path) if path.exists() else None

    def values(self, part: Part, arm: str, seeds: Sequence[int]) -> dict[str, list[float]]:
        """Of the quantities that there are for all of these seeds."""
        found = {
            what: [self.value(part.model, arm, seed, what) for seed in seeds]
            for what in {*part.columns, *(claim.what for claim in ARMS[arm].claims)}
        }
        return {what: [each for each in own if each is not None] for what, own in found.items()
                if seeds and None not in own}  # fmt: skip

    def whole(self, part: Part) -> list[int]:
        """The seeds that all arms of the part have been judged of, but those that are plain."""
        arms = [arm for arm in part.arms if not ARMS[arm].plain]
        return [seed for seed in part.seeds if all(self.judged(part, arm, seed) for arm in arms)]

    def judged(self, part: Part, arm: str, seed: int) -> bool:
        """Whether all files are there that the part asks of the arm."""
        return all(self.path(part.model, arm, seed, of).exists() for of in wanted(part, arm))


def wanted(part: Part, arm: str) -> list[str]:
    """The kinds of result files that the part asks of an arm."""
    if ARMS[arm].plain:
        return ["same"]
    of = [READ[what][0] for what in part.columns if what != SCENE_B or ARMS[arm].streams]
    return [*of, "val"] if arm == "plain" and "val" not in of else of


def rows(part: Part, results: Results, seeds: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """Of each arm its name, the mean of each column, and whether it moves what it names."""
    plain = results.values(part, part.arms[0], seeds)
    if SCENE in plain:
        plain[SCENE_B] = plain[SCENE]
    for arm in part.arms:
        if not ARMS[arm].plain:
            own = results.values(part, arm, seeds)
            means = [f"{np.mean(own[what]):.1f}" if what in own else "" for what in part.columns]
            yield arm, *means, told(arm, plain, own)


def table(part: Part, results: Results) -> Iterator[str]:
    """In Markdown, of the seeds that all arms have; nothing without one."""
    seeds = results.whole(part)
    if not seeds:
        return
    yield f"{part.model}, seeds {', '.join(map(str, seeds))}:"
    yield ""
    yield f"| arm | {' | '.join(part.columns)} | moves what it names |"
    yield f"|---|{'--:|' * len(part.columns)}---|"
    for row in rows(part, results, seeds):
        yield f"| {' | '.join(row)} |"
    yield ""
    yield from twins(part, results)


def for_manual(part: Part, results: Results, title: str = "") -> Iterator[str]:
    """The same as text: means in columns, and below them how each was trained and what it moved."""
    seeds = results.whole(part)
    if not seeds:
        return
    all_rows = list(rows(part, results, seeds))
    yield f"{title}{part.model}, {len(seeds)} seeds"
    yield from in_columns(part, all_rows)
    for name, *_, words in all_rows[1:]:
        yield ""
        yield f"{name}:"
        yield from textwrap.wrap(" ".join(ARMS[name].words), 76, initial_indent="  ",
                                 subsequent_indent="    ", break_on_hyphens=False)  # fmt: skip
        yield from (f"  {text}" for text in words.split("; "))
    yield ""
    yield from twins(part, results)
    if part.model == "conv3d" and not title:
        yield from gates(results, seeds)
    yield ""


def in_columns(part: Part, all_rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The means of each arm."""
    heads = [SHORT.get(what, what) for what in part.columns]
    width = max(len(row[0]) for row in all_rows)
    yield f"{'':{width}}  {'  '.join(heads)}"
    for name, *means, _ in all_rows:
        cells = [f"{mean:>{len(head)}}" for head, mean in zip(heads, means, strict=True)]
        yield f"{name:{width}}  {'  '.join(cells)}".rstrip()


def settings_for_manual(part: Part, results: Results, title: str) -> Iterator[str]:
    """Arms that are settings of one method: means, and what each moved in a line."""
    seeds = results.whole(part)
    if not seeds:
        return
    all_rows = list(rows(part, results, seeds))
    yield f"{title}, {part.model}, {len(seeds)} seeds"
    yield from in_columns(part, all_rows)
    yield ""
    for name, *_, words in all_rows[1:]:
        for text in words.replace(f" ({WRONG})", "").split("; ") if words else ():
            yield f"{name}: {text}"
    for way, (l_i, l_s) in chosen(part, results).items():
        yield f"{way}: l_i {l_i:g}, l_s {l_s:g}"
    yield ""


def chosen(part: Part, results: Results) -> dict[str, tuple[float, float]]:
    """Of a sweep, for each way to be independent l_i and l_s: of those with which top1 on val-iid
    is near enough plain training's the largest l_i, and with it the l_s of the higher top1."""

    def top1(arm: str) -> float:
        return float(np.mean(results.values(part, arm, part.seeds)[VAL]))

    found: dict[str, tuple[float, float, float]] = {}
    for arm in part.arms[1:] if part.columns == (VAL,) else ():
        way, l_i, l_s = (word.rpartition("=")[2] for word in arm.replace("-l", " l").split())
        if top1(arm) >= top1(part.arms[0]) - WITHIN:
            told = float(l_i), top1(arm), float(l_s)
            found[way] = max(found.get(way, told), told)
    return {way: (l_i, l_s) for way, (l_i, _, l_s) in found.items()}


def put(page: str, results: Results) -> str:
    """The page with what was moved between its marks."""
    before, rest = page.split(FIRST)
    told = [line for name, title in METHODS.items() for part in PARTS[name]
            for line in for_manual(part, results, title)]  # fmt: skip
    for name, title in SETTINGS.items():
        told += [line for part in PARTS[name] for line in settings_for_manual(part, results, title)]
    found = "\n".join(told).rstrip()
    roff = found.replace("**", "").replace("\\", "\\e").replace("-", "\\-")
    return f"{before}{FIRST}.EX\n{roff}\n.EE\n{LAST}{rest.split(LAST)[1]}"


def told(arm: str, plain: Values, own: Values) -> str:
    """Whether the quantities of an arm move as claimed: the first of a control's is not to."""
    claims = ARMS[arm].claims
    each = [verdict(claim, plain, own) for claim in claims]
    words = "; ".join(text for text, _ in each)
    if not each or any(holds is None for _, holds in each):
        return words
    good = not each[0][1] if ARMS[arm].control else all(holds for _, holds in each)
    return words if good else f"{words} ({WRONG})"


def verdict(claim: Claim, plain: Values, own: Values) -> tuple[str, bool | None]:
    """In words, and whether it holds; None where there is nothing to tell it by."""
    what = claim.what
    if what not in own:
        return f"{what}: not there", None
    found = paired(np.subtract(own[what], plain[what]))
    if len(own[what]) < 2:
        return f"{what} {found.value:+.1f}: one seed tells nothing", None
    low, high = found.low, found.high
    if math.isnan(low):  # every seed differs by the same
        low = high = found.value
    holds = low > claim.by if claim.sign > 0 else high < claim.by
    span = "no interval" if math.isnan(found.low) else f"{found.low:+.1f} to {found.high:+.1f}"
    asked = f" (at most {-claim.by:g} down)" if claim.by else ""
    return f"{what}{asked} {found.value:+.1f} [{span}]: {'yes' if holds else 'no'}", holds


def twins(part: Part, results: Results) -> Iterator[str]:
    """Of the arms whose weights are all 0: whether their runs are plain training's."""
    for arm in (arm for arm in part.arms if ARMS[arm].plain):
        for seed in part.seeds:
            path = results.path(part.model, arm, seed, "same")
            if path.exists():
                same = json.loads(path.read_text())["same"]
                how = "those of plain training, bit for bit" if same else "**not plain training's**"
                yield f"- {arm}, {part.model}, seed {seed}: all weights of the network are {how}"


def gates(results: Results, seeds: Sequence[int]) -> Iterator[str]:
    """Whether plain conv3d has the bias that a method is to take away."""
    for what, limit, sign in GATES:
        values = [results.value("conv3d", "plain", seed, what) for seed in seeds]
        known = [value for value in values if value is not None]
        if known:
            mean = float(np.mean(known))
            kind = "at least" if sign > 0 else "at most"
            met = "met" if sign * (mean - limit) >= 0 else "**missed**"
            yield f"- plain conv3d, {what}: {mean:.1f}, {kind} {limit}: {met}"


def lines(results: Results, parts: Sequence[Part]) -> Iterator[str]:
    """The whole of it, in Markdown."""
    for part in parts:
        yield from table(part, results)
        if part.model == "conv3d":
            yield from gates(results, part.seeds)
        yield ""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("results", type=Path)
    asked.add_argument("--part", choices=PARTS, default="moves")
    asked.add_argument("--page", type=Path)
    given = asked.parse_args()
    results, parts = Results(given.results), PARTS[given.part]
    if given.page:
        given.page.write_text(put(given.page.read_text("utf-8"), results), "utf-8")
    else:
        sys.stdout.write("\n".join(lines(results, parts)))


if __name__ == "__main__":
    main()
