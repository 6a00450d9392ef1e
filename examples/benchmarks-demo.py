#!/usr/bin/env python
"""Which benchmark of static bias tells a biased model from an unbiased one?

    python examples/benchmarks-demo.py [--part apart|page] [--fast] [--seeds 1,2] [--jobs 2] OUT

Models are trained on clips whose background, or whose clothes, betray the action in 9 of 10, and on
clips where neither does (`sbtools demo`, cells), and judged by every benchmark and metric that
sbtools has, on the same clips: biased test clips, as those of real sets are, and what is composed
of them. A seed draws clips, weights, order and all else anew. benchmarks_table.py says what is
concluded: of each benchmark, how often it ranks a biased model behind an unbiased one.

--part apart: plain conv3d, 6 seeds. page: conv3d, frame_cnn and a small CLIP, plain and trained
with masks, at rho 0 and .9, one seed, for a page of `sbtools report`.

Run it again, also after Ctrl-C: whatever is done is not done again. OUT/values.jsonl has what the
table is made of. --fast tries the commands out, and what it prints means nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from threading import Lock
from typing import Any

from benchmarks_table import BIASES, FREE, read, table
from demo_runs import ONE, Runs, cache, require_same

from sbtools.evaluate.outcomes import measures

SCALE, FAST, TEST = 1.0, 0.05, 0.25
"""Clips in the benchmark's usual numbers; to try the commands out; and of test clips."""

CELLS = {FREE: "0,0", **{bias.cell: bias.words for bias in BIASES}}
TESTS = "test-iid,plates,test-unbiased,test-conflict,do-scene,do-clothes"
FREE_PAIRS = ("test-unbiased", "do-scene", "do-clothes")
Set = tuple[str, Path, tuple[str, ...]]
VIEWS = ("plain,bg,person-box,random,other,box-only,scene,static,static-jitter,shuffled,reversed",
         "plain,bg,person-box")  # fmt: skip
SHOWN = {"plain": ("plain", "0"), "static": ("static", "0"), "one": ("restyled", "1"),
         "two": ("restyled", "2"), "other-order": ("restyled-shuffled", "1")}  # fmt: skip
"""The views that features are made of, and the style's seed."""

STRIPES = ("--backgrounds", "stripes")
COMPOSED = {
    "scuba": STRIPES, "scufo": STRIPES, "conflfg": STRIPES, "human-only": (), "bg-only": (),
    "self-composite": (), "appearance-free": (), "swap": (),
}  # fmt: skip
"""Of the biased test clips, by `sbtools mask`; swaps are judged by themselves."""

TRAINED: dict[str, tuple[str, ...]] = {
    "conv3d": ("--model", "linear", "--set-model", "backbone=conv3d", "--epochs", "16", "--warmup",
               "1", "--batch", "16", "--lr", "3e-3"),
    "frame_cnn": ("--model", "linear", "--set-model", "backbone=frame_cnn", "--epochs", "16",
                  "--warmup", "1", "--batch", "16", "--lr", "3e-3"),
    "vificlip": ("--model", "vificlip", "--set-model", "normalise=clip", "--set-model",
                 "crop=centre", "--set-model", "short=64", "--set-model", "jitter=0", "--set-model",
                 "gray=0", "--epochs", "12", "--warmup", "1", "--batch", "32", "--lr", "1.5e-3"),
}  # fmt: skip


@dataclass(frozen=True)
class Model:
    """What is trained: the network, the cell of its clips, the method."""

    name: str = "conv3d"
    cell: str = FREE
    method: str = "none"

    def run(self, seed: int) -> str:
        return f"{self.name}-{self.method}-{self.cell}-{seed}"


class Benchmarks(Runs):
    """Models and what each benchmark says of them."""

    def __init__(self, folder: Path, fast: bool = False, call: Any = None) -> None:
        super().__init__(folder, fast, FAST if fast else SCALE, call)
        self.results, self.making = folder / "results", defaultdict[int, Lock](Lock)

    def run(self, model: Model, seed: int, tested: Iterable[str]) -> None:
        """Train a model and judge it on the test clips of these cells, as far as not done."""
        run = self.folder / "runs" / model.run(seed)
        sys.stderr.write(f"seed {seed}: {run.name}\n")
        records = self.clips(seed, "train") / f"{model.cell}-train.jsonl"
        start = ("--weights", str(self.clip(seed))) if model.name == "vificlip" else ()
        self.training(run, (*TRAINED[model.name], *start, "--method", model.method), seed, records)
        for cell in tested:
            self.judge(model, seed, cell)
        self.judge(model, seed, "any")

    def judge(self, model: Model, seed: int, cell: str) -> None:
        """Every set of the test clips of a cell; any: of the clips that are free of cues."""
        clips = self.clips(seed, "test")
        with self.making[seed]:
            sets = list(self.sets(seed, clips, cell))
        for name, records, words in sets:
            path = self.results / f"{model.run(seed)}-on-{cell}-{name}.json"
            if not path.exists():
                scores = self.folder / "scores" / path.stem
                run = self.folder / "runs" / model.run(seed)
                self.eval(run, path, records, *words, "--scores", str(scores))
        if cell == "any":
            self.of_features(model, seed, clips / "test-unbiased.jsonl")

    def sets(self, seed: int, clips: Path, cell: str) -> Iterator[Set]:
        """Name, records, and words of eval: the views first."""
        if cell == "any":
            pairs = [clips / f"{name}.jsonl" for name in FREE_PAIRS]
            yield "free", self.joined(clips / "free.jsonl", pairs), ("plain", "--pairs")
            yield "conflict", clips / "test-conflict.jsonl", ("plain",)
            return
        originals = clips / f"{cell}-test-iid.jsonl"
        yield "views", originals, (VIEWS[self.fast],)
        made = {mode: self.composed(seed, originals, mode) for mode in COMPOSED}
        yield "swap", made.pop("swap"), ("plain",)
        whole = self.joined(clips / f"{cell}-sets.jsonl", [originals, *made.values()])
        yield "sets", whole, ("plain", "--pairs")

    def of_features(self, model: Model, seed: int, records: Path) -> None:
        """What features say of clips that are free of cues: factors, similarity, a probe."""
        name = model.run(seed)
        path, run = self.results / f"{name}-on-any-features.json", self.folder / "runs" / name
        if path.exists():
            return
        made = {
            told: str(self.sbtools(f"{name}-{told}", "features", *ONE, *cache(records), "--view",
                                   view, "--seed", style, "-o",
                                   str(self.folder / "features" / f"{name}-{told}"), str(run),
                                   str(records)))
            for told, (view, style) in SHOWN.items()
        }  # fmt: skip
        asked = {
            "factors": ("--dynamic", made["one"], made["two"], "--static", made["one"],
                        made["other-order"]),
            "similarity": ("--permutations", "0", made["plain"], made["static"]),
            "probe": ("--target", "scene", made["plain"]),
        }  # fmt: skip
        found = {
            command: json.loads(self.sbtools(f"{name}-{command}", command, *words).read_text())
            for command, words in asked.items()
        }
        path.write_text(json.dumps(found) + "\n")

    def clips(self, seed: int, what: str) -> Path:
        """The folder of a seed's training clips, or of its test clips."""
        folder = self.folder / f"{what}-{seed}"
        done = f"{FREE}-train.jsonl" if what == "train" else "test-conflict.jsonl"
        with self.making[seed]:
            if not (folder / done).exists():
                self.render(folder, seed, what)
        return folder

    def render(self, folder: Path, seed: int, what: str) -> None:
        cells = [word for cell in CELLS.values() for word in ("--bias", cell)]
        splits, scale = ("train", self.scale) if what == "train" else (TESTS, self.scale * TEST)
        self.sbtools(folder.name, "demo", "--seed", str(seed), "--scale", f"{scale:g}",
                     "--workers", "0", *cells, "--splits", splits, str(folder))  # fmt: skip

    def composed(self, seed: int, originals: Path, mode: str) -> Path:
        """Records of clips composed of the originals."""
        store = originals.with_name(f"{originals.stem}-{mode}")
        records = store.with_suffix(".jsonl")
        if not records.exists():
            log = self.sbtools(f"{originals.parent.name}-{store.name}", "mask", "--mode", mode,
                               *COMPOSED[mode], "--workers", "0", "--seed", str(seed), "-o",
                               str(store), str(originals))  # fmt: skip
            log.replace(records)
        return records

    def joined(self, path: Path, parts: Iterable[Path]) -> Path:
        """Records of several files in one."""
        if not path.exists():
            path.write_text("".join(part.read_text() for part in parts))
        return path

    def keep(self, models: Iterable[Model], seeds: Iterable[int]) -> None:
        """Put what is known of the models into values.jsonl."""
        lines = []
        for seed in seeds:
            for model in models:
                for path in sorted(self.results.glob(f"{model.run(seed)}-on-*.json")):
                    tested, _, name = path.stem.removeprefix(f"{model.run(seed)}-on-").partition(
                        "-"
                    )
                    values = values_of(name, json.loads(path.read_text()))
                    lines.append({"seed": seed, **asdict(model), "tested": tested, "set": name,
                                  "values": values})  # fmt: skip
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (self.folder / "values.jsonl").write_text(text)


def values_of(name: str, told: Any) -> dict[str, float]:
    """By outcome what a result, or the measures of features, come to."""
    if name != "features":
        return {key: one["value"] for key, one in sorted(measures(told).items())}
    found = {f"{key} features": one["value"]
             for part in ("factors", "similarity")
             for key, one in told[part]["metrics"].items()}  # fmt: skip
    return {**found, "scene features": told["probe"]["accuracy"]}


CONV3D = [Model(cell=cell) for cell in CELLS]
PAGE = [Model(name, cell, method) for name in TRAINED for cell in (FREE, BIASES[0].cell)
        for method in ("none", "mask")]  # fmt: skip
PARTS = {"apart": (CONV3D, (1, 2, 3, 4, 5, 6)), "page": (PAGE, (1,))}


def tested_on(part: str, model: Model) -> tuple[str, ...]:
    """The cells whose test clips a model is judged on: an unbiased one on those of all."""
    if part == "page":
        return (BIASES[0].cell,)
    return tuple(bias.cell for bias in BIASES) if model.cell == FREE else (model.cell,)


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("out", type=Path)
    asked.add_argument("--part", choices=PARTS, default="apart")
    asked.add_argument("--fast", action="store_true")
    asked.add_argument("--seeds", type=lambda text: tuple(map(int, text.split(","))))
    asked.add_argument("--jobs", type=int, default=2)
    given = asked.parse_args()
    models, seeds = PARTS[given.part]
    seeds = given.seeds or seeds
    demo = Benchmarks(given.out, given.fast)
    require_same(given.out / "settings.json", {
        "fast": given.fast, "scale": [demo.scale, TEST], "train": TRAINED, "cells": CELLS,
        "composed": COMPOSED, "views": VIEWS[given.fast], "shown": SHOWN,
    })  # fmt: skip

    def one(each: tuple[Model, int]) -> None:
        demo.run(*each, tested_on(given.part, each[0]))

    with ThreadPoolExecutor(given.jobs) as pool:
        list(pool.map(one, product(models, seeds)))
    demo.keep(models, seeds)
    if given.part == "apart":
        sys.stdout.write("\n".join(table(read(given.out / "values.jsonl"))) + "\n")


if __name__ == "__main__":
    main()
