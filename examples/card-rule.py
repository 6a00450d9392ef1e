#!/usr/bin/env python
"""How often is the verdict of `sbtools card` wrong, on models whose bias is known?

    python examples/card-rule.py [--fast] [--seeds 1,2] [--cells s00c00,s90c00] OUT

Trains conv3d on clips whose background, or whose clothes, betray the action in 9 of 10, and on
clips where neither does (`sbtools demo`), as benchmarks-demo.py does, and shows each model's card
on test clips of its own kind, the unbiased one also on those whose background is biased. Records
are as a user has them: masks, but neither clean plates nor names of scenes. OUT/values.jsonl has
the verdicts of all cards in OUT, also on few of the clips and without the views that need masks;
card_rule_table.py counts them. With OUT of benchmarks-demo.py its models are not trained again.

Run it again, also after Ctrl-C: whatever is done is not done again. --fast tries the commands out,
and what it prints means nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from card_rule_table import BIASED, CLOTHES, FREE, table
from demo_runs import ONE, Runs, cache, require_same

from sbtools.evaluate import result, verdict

SCALE, FAST, TEST = 1.0, 0.05, 0.25
"""Clips in the benchmark's usual numbers; to try the commands out; and of test clips."""
SEEDS = tuple(range(1, 13))
CELLS = {FREE: "0,0", BIASED: ".9,0", CLOTHES: "0,.9"}
TESTED = {FREE: (FREE, BIASED), BIASED: (BIASED,), CLOTHES: (CLOTHES,)}
"""Which clips a model of each cell is shown."""
FEW = (5, 10, 20, 40, 80)
"""So many clips, as far apart in the test as they can be, besides all."""
STILL = ("plain", "static", "static-jitter", "shuffled", "reversed")
"""The views of clips without masks."""
HIDDEN = ("plate", "scene", "clothes", "background_label")
"""Fields of the demo's records that a user's have not."""
TRAINED = ("--model", "linear", "--set-model", "backbone=conv3d", "--epochs", "16", "--warmup", "1",
           "--batch", "16", "--lr", "3e-3")  # fmt: skip
"""As in benchmarks-demo.py."""


class Cards(Runs):
    """Models and their cards, in the folders of benchmarks-demo.py."""

    def __init__(
        self, folder: Path, fast: bool = False, cells: Sequence[str] = (*CELLS,), call: Any = None
    ) -> None:
        super().__init__(folder, fast, FAST if fast else SCALE, call)
        self.cells = cells

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
        if any(not (folder / f"{cell}-{splits}.jsonl").exists() for cell in self.cells):
            cells = [word for cell in self.cells for word in ("--bias", CELLS[cell])]
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
    """The verdict on all clips and on few, of all views and of those without masks."""
    count = len(found["per_clip"]["id"])
    for clips, masks in product((*(few for few in FEW if few < count), count), (True, False)):
        told = verdict.of(result_of(found, clips, None if masks else STILL))
        if told is not None:
            yield {"clips": clips, "masks": masks, "rule": told["rule"], "code": told["code"]}


def result_of(found: dict[str, Any], clips: int, views: Iterable[str] | None) -> dict[str, Any]:
    """A result of so many of its clips and of some of its views, as far as a verdict reads it."""
    rows, names = found["per_clip"], views or found["views"]
    count = len(rows["id"])
    places = [place * count // clips for place in range(clips)]

    def taken(each: dict[str, Any]) -> dict[str, Any]:
        return {name: values and [values[place] for place in places]
                for name, values in each.items()}  # fmt: skip

    kept = {name: taken(seen) for name, seen in rows["views"].items() if name in names}
    some = taken({name: rows[name] for name in ("id", "source", "label")})
    return {**found, "per_clip": {**some, "views": kept},
            "views": {name: found["views"][name] for name in kept}}  # fmt: skip


def keep(folder: Path) -> list[dict[str, Any]]:
    """Put the verdicts of all cards of a folder into values.jsonl; the same as lines."""
    lines = []
    for path in sorted((folder / "cards").glob("*-on-*.json")):
        model, _, tested = path.stem.partition("-on-")
        cell, _, seed = model.partition("-")
        known = {"seed": int(seed), "cell": cell, "tested": tested}
        lines += [{**known, **told} for told in values_of(result.read(str(path)))]
    lines.sort(key=lambda line: line["seed"])
    (folder / "values.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return lines


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("out", type=Path)
    asked.add_argument("--fast", action="store_true")
    asked.add_argument("--seeds", type=lambda text: tuple(map(int, text.split(","))), default=SEEDS)
    asked.add_argument("--cells", type=lambda text: tuple(text.split(",")), default=tuple(CELLS))
    given = asked.parse_args()
    demo = Cards(given.out, given.fast, given.cells)
    require_same(given.out / "card-rule.json", {
        "fast": given.fast, "scale": [demo.scale, TEST], "train": TRAINED, "cells": CELLS,
        "hidden": HIDDEN,
    })  # fmt: skip
    for seed, cell in product(given.seeds, given.cells):
        demo.run(seed, cell)
        for tested in TESTED[cell]:
            if tested in given.cells:
                demo.card(seed, cell, tested)
    sys.stdout.write("\n".join(table(keep(given.out))) + "\n")


if __name__ == "__main__":
    main()
