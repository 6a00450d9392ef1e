#!/usr/bin/env python
"""The table, the words and the figure of examples/masking-demo.sh, from its result files alone.

    python examples/masking-demo.py RESULTS [--figure FILE.png] [--readme README.md]

RESULTS is a folder of ARM-CELL-SEED-SET.json, OUT/results or examples/results. The table and the
words go to stdout, or into README.md between the marks that stand there.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from sbtools.evaluate import result
from sbtools.evaluate.paired import holm
from sbtools.evaluate.seeds import SeedInterval, mean, paired

BEGIN, END = "<!-- made by examples/masking-demo.py: -->\n", "<!-- up to here -->\n"
NAME = re.compile(r"(.+)-(s\d+)-(\d+)-(val-iid|val-conflict|free|biased|conflict)\.json")

NONE, HALF = "vificlip-none", "vificlip-bg50"
ROWS = {
    NONE: "ViFi-CLIP, nothing masked",
    HALF: "background masked in half of the clips",
    "vificlip-bg67": "in two thirds",
    "vificlip-bg100": "in all",
    "vificlip-random50": "control: a random mask of that size in half",
    "vificlip-other50": "control: another clip's mask in half",
    "actionclip-none": "ActionCLIP, nothing masked",
    "actionclip-bg50": "background masked in half",
}
FREE, FLIPS, SBERR = ("free", "top1"), ("free", "flip_do-scene"), ("conflict", "sberr")
COLUMNS = {
    "rho 0: free": ("s00", *FREE),
    "rho .9: biased": ("s90", "biased", "top1"),
    "free": ("s90", *FREE),
    "P-top1": ("s90", "free", "p_top1"),
    "SBErr": ("s90", *SBERR),
    "flips": ("s90", *FLIPS),
}
GATES = (
    (NONE, "s00", "val-iid", "top1", 65, "rho 0, top1"),
    (NONE, "s90", "val-iid", "top1", 85, "rho .9, top1 with the bias"),
    (NONE, "s90", "val-conflict", "sberr", 40, "rho .9, answers by the scene (SBErr)"),
    ("actionclip-none", "s90", "val-iid", "top1", 85, "ActionCLIP, rho .9, top1 with the bias"),
    ("actionclip-none", "s90", "val-conflict", "sberr", 40, "ActionCLIP, rho .9, SBErr"),
)
"""Of arms without masks, on validation clips: least means over the seeds, in percent."""


class Results:
    """Every metric of every result, in percent: found[arm, cell, set, metric][seed]."""

    def __init__(self, found: Mapping[tuple[str, ...], Mapping[int, float]]) -> None:
        self.found = found

    @classmethod
    def read(cls, folder: Path) -> Results:
        found: dict[tuple[str, ...], dict[int, float]] = {}
        for path in sorted(folder.glob("*.json")):
            match = NAME.fullmatch(path.name)
            if not match:
                sys.exit(f"masking-demo.py: {path} is not called ARM-CELL-SEED-SET.json")
            arm, cell, seed, of = match.groups()
            for name, measure in result.read(str(path))["metrics"].items():
                if measure["value"] is not None:
                    values = found.setdefault((arm, cell, of, name), {})
                    values[int(seed)] = 100 * measure["value"]
        if not found:
            sys.exit(f"masking-demo.py: there are no results in {folder}")
        return cls(found)

    def __call__(self, arm: str, cell: str, of: str, metric: str) -> Mapping[int, float]:
        """By seed."""
        return self.found.get((arm, cell, of, metric), {})

    def gain(self, b: str, a: str, cell: str, what: tuple[str, str]) -> dict[int, float]:
        """What arm b has more than arm a, of every seed that both have."""
        there, here = self(b, cell, *what), self(a, cell, *what)
        return {seed: there[seed] - here[seed] for seed in there if seed in here}

    def contrast(self, what: tuple[str, str]) -> dict[int, float]:
        """What masking in half gains at rho .9, less what it gains at rho 0, of every seed."""
        biased, free = (self.gain(HALF, NONE, cell, what) for cell in ("s90", "s00"))
        return {seed: biased[seed] - free[seed] for seed in biased if seed in free}


def over(values: Mapping[int, float]) -> SeedInterval:
    """The paired t interval over whole seeds, each with test clips of its own."""
    return paired(np.array(list(values.values())))


def span(found: SeedInterval) -> str:
    return "[no interval]" if np.isnan(found.low) else f"[{found.low:.1f}, {found.high:.1f}]"


def table(results: Results) -> Iterator[str]:
    yield f"| trained with | seeds | {' | '.join(COLUMNS)} |"
    yield "|---|--:|" + "--:|" * len(COLUMNS)
    for arm, title in ROWS.items():
        columns = [results(arm, *column) for column in COLUMNS.values()]
        if any(columns):
            shown = " | ".join(cell(values) for values in columns)
            yield f"| {title} | {max(map(len, columns))} | {shown} |"


def cell(values: Mapping[int, float]) -> str:
    """The mean over seeds, and half of its 95 % interval."""
    if not values:
        return ""
    found = mean(np.array(list(values.values())))
    half = (found.high - found.low) / 2
    return f"{found.value:.1f}" + ("" if np.isnan(half) else f" ± {half:.1f}")


def claim(results: Results) -> Iterator[str]:
    """What masking half of the clips does against the bias, by both primary outcomes."""
    count = len(results.contrast(FREE))
    if count < 2:
        yield f"{count} of the whole seeds that the claim needs: nothing can be told of training."
        return
    top1, flips = over(results.contrast(FREE)), over(results.contrast(FLIPS))
    corrected = holm([top1.p, flips.p])
    biased, free = (over(results.gain(HALF, NONE, cell, FREE)) for cell in ("s90", "s00"))
    gains = [f"{one.value:+.1f} {span(one)}" for one in (biased, free)]
    yield (
        "Masking the background in half of the clips changes top1 on free clips by "
        f"{gains[0]} points where there was a bias and by {gains[1]} where there was none. The "
        f"difference is **{told(top1, corrected[0])}**; flips change by "
        f"{told(flips, corrected[1])} in the same sense. These are paired t intervals over "
        f"{count} whole seeds; the smallest differences that so many show in 8 of 10 cases are "
        f"{smallest(top1)} of top1 and {smallest(flips)} of flips."
    )
    yield ""
    yield from controls(results)
    yield ""
    yield from conclusions(results, top1, flips)


def told(found: SeedInterval, p: float) -> str:
    shown = f"Holm p {p:.2g}" if found.shown else "not shown"
    return f"{found.value:+.1f} points {span(found)} ({shown})"


def smallest(found: SeedInterval) -> str:
    return f"{found.detectable:.1f} points" if found.detectable < 100 else "beyond 100 points"


def controls(results: Results) -> Iterator[str]:
    """Every other arm against the one without masks, at rho .9, on free clips."""
    others = [a for a in ROWS if a not in (NONE, HALF, "actionclip-none")]
    versus = {a: f"{a.partition('-')[0]}-none" for a in others}
    gains = {a: results.gain(a, versus[a], "s90", FREE) for a in others}
    found = {a: over(gain) for a, gain in gains.items() if len(gain) > 1}
    if not found:
        return
    ps = holm([one.p for one in found.values()])
    yield "Against the same model without masks, at rho .9, on free clips:"
    yield ""
    for (arm, one), p in zip(found.items(), ps, strict=True):
        model = "ActionCLIP, " if arm.startswith("actionclip") else ""
        title = ROWS[arm].removeprefix("control: ")
        yield f"- {model}{title}: {told(one, p)}, {len(gains[arm])} seeds"


def missing(results: Results) -> Iterator[str]:
    """What the settings ask for and nobody has trained yet."""
    text = Path(__file__).with_suffix(".settings").read_text()
    rows = (line.split() for line in text.split("ARMS='")[1].split("'")[0].splitlines() if line)
    lacking = []
    for arm, _, seeds, cells, *_ in rows:
        done = min(len(results(arm, cell, *FREE)) for cell in cells.split(","))
        if done < int(seeds):
            lacking.append(f"{done} of {seeds} seeds of {arm}")
    if lacking:
        yield f"Not all is done yet, and what is not done is not told: {', '.join(lacking)}."


def conclusions(results: Results, top1: SeedInterval, flips: SeedInterval) -> Iterator[str]:
    """What is certain, what is not, what a reader may conclude: a sentence each."""
    left = over(results(HALF, "s90", *SBERR))
    gains = results.gain(HALF, NONE, "s90", FREE).values()
    shown = {"top1 on free clips": top1.low > 0, "flips under another scene": flips.high < 0}
    better = " and ".join(name for name, clear in shown.items() if clear)
    certain = (
        f"on these clips masking betters {better} more where there was a bias than where there "
        "was none"
        if better
        else "nothing yet: no interval leaves out 0"
    )
    conclusion = (
        "that masking is worth trying against a background that betrays the action, not that it "
        f"ends the bias ({left.value:.1f} % of the answers on conflicting clips still name the "
        "scene's class), and nothing about CLIP of full size or about real videos"
        if top1.low > 0
        else "nothing from so few seeds, or from so small a difference"
    )
    yield (
        f"Certain is: {certain}. Not certain is how much: the gain at rho .9 is from "
        f"{min(gains):+.1f} to {max(gains):+.1f} points from one seed to another. A reader may "
        f"conclude {conclusion}."
    )


def gates(results: Results) -> Iterator[str]:
    lines = []
    for arm, *what, least, title in GATES:
        values = results(arm, *what)
        if values:
            value = float(np.mean(list(values.values())))
            met = "met" if value >= least else "**missed**"
            lines.append(f"- {title}: {value:.1f}, at least {least}: {met}")
    if lines:
        yield "Gates, set beforehand, of arms without masks, means over seeds on validation clips:"
        yield ""
        yield from lines


def wrapped(line: str) -> str:
    return line if line.startswith("|") else textwrap.fill(line, 105, subsequent_indent=(
        "  " if line.startswith("- ") else ""), break_on_hyphens=False)  # fmt: skip


def figure(results: Results, path: Path) -> None:
    """Every seed as a point, those of one seed joined: without masks, and with."""
    from matplotlib import pyplot as plt

    panels = {"top1 on free clips": FREE, "answers by the scene (SBErr)": SBERR,
              "flips under another scene": FLIPS}  # fmt: skip
    drawn, axes = plt.subplots(1, len(panels), figsize=(9.6, 3.6), sharey=True)
    for axis, (title, what) in zip(axes, panels.items(), strict=True):
        for left, (where, colour) in {0: ("s00", "#4c78a8"), 3: ("s90", "#d1495b")}.items():
            arms = [results(arm, where, *what) for arm in (NONE, HALF)]
            for seed in sorted(set(arms[0]) & set(arms[1])):
                ends = [arm[seed] for arm in arms]
                axis.plot([left, left + 1.4], ends, "-o", color=colour, alpha=0.55, ms=4, lw=1)
            for at, arm in zip((left - 0.22, left + 1.62), arms, strict=True):
                if arm:
                    axis.plot(at, np.mean(list(arm.values())), "_", color="black", ms=13, mew=2)
        axis.axhline(100 / 12, color="0.6", lw=0.8, ls=":")
        axis.set_title(title, fontsize=10)
        axis.set_xticks([0, 1.4, 3, 4.4], ["none", "masked"] * 2, fontsize=9)
        axis.set_xlim(-0.6, 5)
        for at, label in ((0.7, "rho 0"), (3.7, "rho .9")):
            axis.text(
                at, -0.17, label, transform=axis.get_xaxis_transform(), ha="center", fontsize=9
            )
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylim(0, 100)
    axes[0].set_ylabel("percent")
    drawn.tight_layout()
    drawn.savefig(path, dpi=110)


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("results", type=Path)
    asked.add_argument("--figure", type=Path)
    asked.add_argument("--readme", type=Path)
    given = asked.parse_args()
    results = Results.read(given.results)
    parts = (table(results), missing(results), claim(results), gates(results))
    text = "\n\n".join("\n".join(part).strip() for part in parts)
    text = "\n".join(map(wrapped, re.sub(r"\n{3,}", "\n\n", text).split("\n"))) + "\n"
    if given.figure:
        figure(results, given.figure)
    if given.readme:
        old = given.readme.read_text()
        before, _, rest = old.partition(BEGIN)
        _, _, after = rest.partition(END)
        given.readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
