#!/usr/bin/env python
"""The table of examples/benchmarks-demo.py: which benchmark ranks biased models behind others.

    python examples/benchmarks_table.py [--page man/sbtools-benchmarks.7] VALUES.jsonl

--page puts it into a manual page, between its marks.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.optimize import brentq
from scipy.stats import norm

FREE = "s00c00"
"""The cell in which neither background nor clothes tell of the action."""


@dataclass(frozen=True)
class Bias:
    """What the clips of a cell betray their action by."""

    cell: str
    words: str
    title: str


BIASES = (Bias("s90c00", ".9,0", "scene .9"), Bias("s00c90", "0,.9", "clothes .9"))
HIGHER, LOWER, CONTROL = 1, -1, 0
EDGE = 1e-9
"""Beside an AUC of 0 or 1, which is itself an end by its formula."""


@dataclass(frozen=True)
class Benchmark:
    """A number of a set of results. worse: what a biased model is to have, HIGHER or LOWER than an
    unbiased one; of a CONTROL neither is expected, and its AUC is that of a higher number."""

    title: str
    set: str
    outcome: str
    worse: int


BENCHMARKS = (
    Benchmark("top1, biased test clips", "views", "top1 plain", CONTROL),
    Benchmark("top1, clips free of cues", "free", "top1 plain", LOWER),
    Benchmark("P-top1", "views", "top1 bg", LOWER),
    Benchmark("P / top1", "views", "p_ratio bg", LOWER),
    Benchmark("B-top1", "views", "top1 person-box", HIGHER),
    Benchmark("B / top1", "views", "b_ratio person-box", HIGHER),
    Benchmark("random", "views", "top1 random", LOWER),
    Benchmark("other", "views", "top1 other", LOWER),
    Benchmark("box-only", "views", "top1 box-only", CONTROL),
    Benchmark("scene", "views", "top1 scene", HIGHER),
    Benchmark("static", "views", "top1 static", HIGHER),
    Benchmark("static-jitter", "views", "top1 static-jitter", HIGHER),
    Benchmark("static gap", "views", "static_gap static", LOWER),
    Benchmark("static-jitter gap", "views", "jitter_gap static-jitter", LOWER),
    Benchmark("shuffle gap", "views", "shuffle_gap shuffled", LOWER),
    Benchmark("reverse gap", "views", "reverse_gap reversed", LOWER),
    Benchmark("mean rank, static", "views", "true_rank static", LOWER),
    Benchmark("SCUBA", "sets", "scuba_avg plain", LOWER),
    Benchmark("SCUFO", "sets", "scufo_avg plain", HIGHER),
    Benchmark("mean rank, SCUFO", "sets", "true_rank_scufo plain", LOWER),
    Benchmark("ConflFG", "sets", "conflfg plain", LOWER),
    Benchmark("still foreground named", "sets", "still_rate plain", HIGHER),
    Benchmark("contrasted", "sets", "contrasted plain", LOWER),
    Benchmark("HOR", "sets", "hor plain", LOWER),
    Benchmark("BOR", "sets", "bor plain", HIGHER),
    Benchmark("self-composite", "sets", "top1_self-composite plain", CONTROL),
    Benchmark("appearance-free", "sets", "appearance_free plain", LOWER),
    Benchmark("SHAcc, swap", "swap", "shacc plain", LOWER),
    Benchmark("SBErr, swap", "swap", "sberr plain", HIGHER),
    Benchmark("scene wins, swap", "swap", "bg_wins plain", HIGHER),
    Benchmark("SHAcc, rendered", "conflict", "shacc plain", LOWER),
    Benchmark("SBErr, rendered", "conflict", "sberr plain", HIGHER),
    Benchmark("flips, do(scene)", "free", "flip_do-scene plain", HIGHER),
    Benchmark("flips, do(clothes)", "free", "flip_do-clothes plain", HIGHER),
    Benchmark("rho static", "features", "rho_static features", HIGHER),
    Benchmark("rho dynamic", "features", "rho_dynamic features", LOWER),
    Benchmark("CKA, plain and static", "features", "cka features", HIGHER),
    Benchmark("probe of the scene", "features", "scene features", HIGHER),
)

WORSE = {HIGHER: "higher", LOWER: "lower", CONTROL: "-"}
NUMBERS = (
    "p_ratio",
    "b_ratio",
    "hor",
    "bor",
    "true_rank",
    "true_rank_scufo",
    "rho_static",
    "rho_dynamic",
    "cka",
)
OF_FREE = ("free", "conflict", "features")
"""The sets that are no views of biased clips."""
FIRST, LAST = '.\\" made by examples/benchmarks_table.py\n', '.\\" up to here\n'
GATES = (
    ("rho 0, top1 of clips free of cues", FREE, "any", "free", "top1 plain", 75, 1),
    ("scene .9, top1 of its test clips", "s90c00", "s90c00", "views", "top1 plain", 85, 1),
    ("scene .9, top1 of clips free of cues", "s90c00", "any", "free", "top1 plain", 30, -1),
    ("scene .9, SBErr of rendered clips", "s90c00", "any", "conflict", "sberr plain", 50, 1),
)
"""Of plain conv3d, in percent: at least, or with -1 at most."""

Values = dict[tuple[str, str, str, str], dict[int, float]]
"""(cell trained on, cell tested on, set, outcome) -> seed -> value."""


def read(path: Path) -> Values:
    """Plain conv3d's values."""
    found: Values = {}
    for line in path.read_text().splitlines():
        told: dict[str, Any] = json.loads(line)
        if (told["name"], told["method"]) != ("conv3d", "none"):
            continue
        for outcome, value in told["values"].items():
            key = told["cell"], told["tested"], told["set"], outcome
            found.setdefault(key, {})[told["seed"]] = value
    return found


def two(values: Values, one: Benchmark, bias: Bias) -> tuple[list[float], list[float]]:
    """Of unbiased and of biased models on the same clips, of the seeds that have both."""
    tested = "any" if one.set in OF_FREE else bias.cell
    both = [values.get((cell, tested, one.set, one.outcome), {}) for cell in (FREE, bias.cell)]
    seeds = sorted(both[0].keys() & both[1].keys())
    return [both[0][seed] for seed in seeds], [both[1][seed] for seed in seeds]


def auc(unbiased: Sequence[float], biased: Sequence[float], worse: int = HIGHER) -> float:
    """The share of pairs of a biased and an unbiased model of which the biased one is worse; a tie
    counts half."""
    sign = worse or HIGHER
    pairs = [sign * (b - a) for a in unbiased for b in biased]
    return sum(1.0 if gap > 0 else 0.5 if gap == 0 else 0.0 for gap in pairs) / len(pairs)


def interval(area: float, m: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Of an AUC of m against n: Newcombe 2006, method 5, which has a width at 0 and at 1, too.

    The ends are the areas t with (area - t)^2 = z^2 v(t), v(t) Hanley and McNeil's variance with
    (m + n) / 2 for both numbers.
    """
    z, half = norm.ppf((1 + level) / 2), (m + n) / 2 - 1

    def beside(t: float) -> float:
        spread = 1 + half * ((1 - t) / (2 - t) + t / (1 + t))
        return float((area - t) ** 2 - z * z * t * (1 - t) * spread / (m * n))

    low = 0.0 if area == 0 else float(brentq(beside, 0.0, area - EDGE))
    return low, 1.0 if area == 1 else float(brentq(beside, area + EDGE, 1.0))


def cells(values: Values, one: Benchmark) -> Iterator[tuple[str, str]]:
    """Of each bias: the means of unbiased and of biased models, and the AUC with its interval."""
    for bias in BIASES:
        unbiased, biased = two(values, one, bias)
        if not unbiased:
            yield "-", "-"
            continue
        means = (shown(one, sum(side) / len(side)) for side in (unbiased, biased))
        area = auc(unbiased, biased, one.worse)
        low, high = interval(area, len(unbiased), len(biased))
        yield " ".join(f"{mean:>6}" for mean in means), f"{area:.2f} [{low:.2f}, {high:.2f}]"


def shown(one: Benchmark, value: float) -> str:
    """Shares in percent; what is no share as it is."""
    number = one.outcome.split()[0] in NUMBERS
    return f"{value:.2f}" if number else f"{100 * value:.1f}"


def seeds(values: Values) -> int:
    """How many there are of the biased models of every bias."""
    return min(len(two(values, BENCHMARKS[0], bias)[1]) for bias in BIASES)


def table(values: Values) -> Iterator[str]:
    """Two tables: of AUCs, and of the means that they are of."""
    found = [list(cells(values, one)) for one in BENCHMARKS]
    titles = [bias.title for bias in BIASES]
    yield f"AUC between models trained without and with a bias, {seeds(values)} seeds, conv3d"
    rows = [(one.title, WORSE[one.worse], *(auc for _, auc in made))
            for one, made in zip(BENCHMARKS, found, strict=True)]  # fmt: skip
    yield from in_columns([("", "worse", *titles), *rows])
    yield ""
    yield "Means of the models trained without, and of those with it, on the same clips"
    rows = [(one.title, *(means for means, _ in made))
            for one, made in zip(BENCHMARKS, found, strict=True)]  # fmt: skip
    yield from in_columns([("", *titles), *rows])
    yield ""
    yield from gates(values)


def in_columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield from ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def gates(values: Values) -> Iterator[str]:
    """What the data must show before it says anything of a benchmark, means over seeds."""
    for words, cell, tested, name, outcome, bound, sign in GATES:
        found = values.get((cell, tested, name, outcome), {}).values()
        mean = 100 * sum(found) / max(len(found), 1)
        held = "held" if sign * (mean - bound) >= 0 else "missed"
        yield f"{words}: {mean:.1f}, {'at least' if sign > 0 else 'at most'} {bound}: {held}"


def put(page: str, values: Values) -> str:
    """The page with the tables between its marks."""
    before, rest = page.split(FIRST)
    roff = "\n".join(table(values)).replace("\\", "\\e").replace("-", "\\-")
    return f"{before}{FIRST}.EX\n{roff}\n.EE\n{LAST}{rest.split(LAST)[1]}"


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--page", type=Path)
    asked.add_argument("values", type=Path)
    given = asked.parse_args()
    values = read(given.values)
    if given.page:
        given.page.write_text(put(given.page.read_text(), values))
    else:
        sys.stdout.write("\n".join(table(values)) + "\n")


if __name__ == "__main__":
    main()
