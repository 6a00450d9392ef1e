#!/usr/bin/env python
"""How often is the verdict of `sbtools card` wrong, on models whose bias is known?

    python examples/card-rule.py [--fast] [--seeds 1,2] OUT

Trains conv3d on clips whose background betrays the action in 9 of 10, and on clips where it tells
nothing (`sbtools demo`), as benchmarks-demo.py does, and shows each model's card on test clips of
its own kind, the unbiased one also on those of the biased one. Records are as a user has them:
masks, but neither clean plates nor names of scenes. OUT/values.jsonl has the verdicts, also of the
first few clips of each test and without what needs masks; card_rule_table.py counts them.

Run it again, also after Ctrl-C: whatever is done is not done again. --fast tries the commands out,
and what it prints means nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

from card_rule_table import BIASED, FREE, table
from demo_runs import ONE, Runs, cache, require_same

from sbtools.evaluate import result, verdict

SCALE, FAST, TEST = 1.0, 0.05, 0.25
"""Clips in the benchmark's usual numbers; to try the commands out; and of test clips."""
SEEDS = tuple(range(1, 13))
CELLS = {FREE: "0,0", BIASED: ".9,0"}
TESTED = {FREE: (FREE, BIASED), BIASED: (BIASED,)}
"""Which clips a model of each cell is shown."""
FIRST = (5, 10, 20, 40, 80)
"""So many clips, besides all."""
STILL = ("plain", "static", "static-jitter", "shuffled", "reversed")
"""The views of clips without masks."""
HIDDEN = ("plate", "scene", "clothes", "background_label")
"""Fields of the demo's records that a user's have not."""
TRAINED = ("--model", "linear", "--set-model", "backbone=conv3d", "--epochs", "16", "--warmup", "1",
           "--batch", "16", "--lr", "3e-3")  # fmt: skip
"""As in benchmarks-demo.py."""


class Cards(Runs):
    """Models and their cards, in the folders of benchmarks-demo.py."""

    def __init__(self, folder: Path, fast: bool = False, call: Any = None) -> None:
        super().__init__(folder, fast, FAST if fast else SCALE, call)

    def run(self, seed: int, cell: str) -> Path:
        """The run of a model, trained where it is not yet."""
        run = self.folder / "runs" / f"conv3d-none-{cell}-{seed}"
        if not (run / "done.json").exists():
            sys.stderr.write(f"{run.name}\n")
            records = self.clips(seed, "train") / f"{cell}-train.jsonl"
            self.training(run, (*TRAINED, "--method", "none"), seed, records)
        return run

    def clips(self, seed: int, what: str) -> Path:
        """The folder of a seed's training clips, or of its test clips."""
        folder = self.folder / f"{what}-{seed}"
        splits, scale = ("train", 1.0) if what == "train" else ("test-iid", TEST)
        if not (folder / f"{BIASED}-{splits}.jsonl").exists():
            cells = [word for cell in CELLS.values() for word in ("--cell", cell)]
            self.sbtools(folder.name, "demo", "--seed", str(seed), "--scale",
                         f"{scale * self.scale:g}", "--workers", "0", *cells, "--splits", splits,
                         str(folder))  # fmt: skip
        return folder

    def card(self, seed: int, cell: str, tested: str) -> Path:
        """The result beside the card of a model."""
        page = self.folder / "cards" / f"{cell}-{seed}-on-{tested}.html"
        found = page.with_suffix(".json")
        if not found.exists():
            records = self.records(seed, tested)
            self.sbtools(f"card-{page.stem}", "card", "--examples", "0", *ONE, *cache(records),
                         "-o", str(page), str(self.run(seed, cell)), str(records))  # fmt: skip
        return found

    def records(self, seed: int, tested: str) -> Path:
        """Those of test clips as a user has them."""
        whole = self.clips(seed, "test") / f"{tested}-test-iid.jsonl"
        path = whole.with_name(f"{tested}-card.jsonl")
        kept = [
            {name: value for name, value in json.loads(line).items() if name not in HIDDEN}
            for line in whole.read_text().splitlines()
        ]
        path.write_text("".join(json.dumps(record) + "\n" for record in kept))
        return path


def values_of(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The verdict on all clips and on the first ones, of all views and of those without masks."""
    count = len(found["per_clip"]["id"])
    for clips, masks in product((*FIRST, count), (True, False)):
        told = verdict.of(result_of(found, clips, None if masks else STILL))
        if told is not None:
            yield {"clips": clips, "masks": masks, "code": told["code"], "text": told["text"]}


def result_of(found: dict[str, Any], clips: int, views: Iterable[str] | None) -> dict[str, Any]:
    """A result of its first clips and of some of its views, as far as a verdict reads it."""
    rows, names = found["per_clip"], views or found["views"]
    kept = {
        name: {key: values[:clips] for key, values in seen.items()}
        for name, seen in rows["views"].items()
        if name in names
    }
    some = {key: rows[key] and rows[key][:clips] for key in ("id", "source", "label")}
    return {**found, "verdict": None, "per_clip": {**some, "views": kept},
            "views": {name: found["views"][name] for name in kept}}  # fmt: skip


def keep(demo: Cards, seeds: Iterable[int]) -> None:
    """Put the verdicts on all models into values.jsonl."""
    lines = [
        {"seed": seed, "cell": cell, "tested": tested, **told}
        for seed, cell in product(seeds, CELLS)
        for tested in TESTED[cell]
        for told in values_of(result.read(str(demo.card(seed, cell, tested))))
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (demo.folder / "values.jsonl").write_text(text)


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("out", type=Path)
    asked.add_argument("--fast", action="store_true")
    asked.add_argument("--seeds", type=lambda text: tuple(map(int, text.split(","))), default=SEEDS)
    given = asked.parse_args()
    demo = Cards(given.out, given.fast)
    require_same(given.out / "card-rule.json", {
        "fast": given.fast, "scale": [demo.scale, TEST], "train": TRAINED, "cells": CELLS,
        "hidden": HIDDEN,
    })  # fmt: skip
    for seed, cell in product(given.seeds, CELLS):
        demo.run(seed, cell)
    keep(demo, given.seeds)
    lines = (given.out / "values.jsonl").read_text().splitlines()
    sys.stdout.write("\n".join(table([json.loads(line) for line in lines])) + "\n")


if __name__ == "__main__":
    main()
