#!/usr/bin/env python
"""Does a method move what it names? Each against plain training of the same whole seed.

    python examples/methods-demo.py [--part moves|baselines|ablation|sweep] [--fast] [--seeds 1,2]
                                    [--models A] [--arms A,B] [--jobs 2] OUT

Clips have the background of their class in 9 of 10 (rho .9); models are judged on clips with free
backgrounds, and on clips with another class's. A seed draws clips, weights, order and all else
anew. conv3d, 6 seeds, has first been trained on other clips, whose backgrounds tell nothing;
vificlip, 3 seeds, starts from a small CLIP. An arm with a method is asked whether it moves what it
names, up or down as it says, by a paired t interval over seeds; a twin without the term, and one
whose sign is turned, are asked the same, and are not to. methods_arms.py says what is trained,
methods_table.py what is concluded.

--part baselines is of the methods that these are compared with. ablation is of where disentangle
takes its biased stream from, how the two are made independent, and of the scene loss; sweep, on
seeds of its own, of the weights of its losses.

Run it again, also after Ctrl-C: whatever is done is not done again. The table goes to stdout, made
of OUT/results alone. --fast tries the commands out, and what it prints means nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from demo_runs import ONE, Runs, cache, require_same
from methods_arms import ARMS, BANK, FAST, FRAMES, PARTS, SCALE, START, TRAINED, Part
from methods_table import Results, lines, wanted

from sbtools.evaluate.scores import from_stores
from sbtools.losses import negative_entropy

SPLITS = "train,val-iid,test-unbiased,test-conflict"


class Demo(Runs):
    """The runs and results of arms."""

    def __init__(
        self, folder: Path, fast: bool = False, scale: float = SCALE, call: Any = None
    ) -> None:
        super().__init__(folder, fast, FAST if fast else scale, call)
        self.results = Results(folder / "results")

    def run(self, part: Part, arm: str, seed: int) -> None:
        """Train and judge one arm, as far as that is not done."""
        model = part.model
        if ARMS[arm].plain and seed != min(part.seeds):
            return
        if self.results.judged(part, arm, seed):
            return
        sys.stderr.write(f"seed {seed}: {model}, {arm}\n")
        run = self.train(model, arm, seed)
        if ARMS[arm].plain:
            path = self.results.path(model, arm, seed, "same")
            self.keep(path, {"same": same(run, self.of(model, "plain", seed))})
        else:
            self.judge(part, arm, seed, run)

    def of(self, model: str, arm: str, seed: int) -> Path:
        return self.folder / "runs" / f"{arm}-{model}-{seed}"

    def train(self, model: str, arm: str, seed: int) -> Path:
        run = self.of(model, arm, seed)
        start, words = self.start(model, seed), ARMS[arm].words
        for name, made in {"BANK": self.bank, "BACKGROUNDS": self.backgrounds}.items():
            if any(name in word for word in words):
                words = tuple(word.replace(name, str(made(seed))) for word in words)
        records = self.clips(seed) / "s90c00-train.jsonl"
        self.training(run, (*TRAINED[model], *start, *words), seed, records)
        return run

    def judge(self, part: Part, arm: str, seed: int, run: Path) -> None:
        """The result files of a run that the part asks for."""
        clips, scores = self.clips(seed), str(self.folder / "scores" / run.name)
        free = clips / "test-unbiased.jsonl"
        for of in wanted(part, arm):
            path = self.results.path(part.model, arm, seed, of)
            if path.exists():
                continue
            if of == "val":
                self.eval(run, path, clips / "s90c00-val-iid.jsonl", "plain")
            elif of == "conflict":
                self.eval(run, path, clips / "test-conflict.jsonl", "plain")
            elif of == "free":
                self.eval(run, path, free, "plain,static", "--scores", scores)
            elif of == "train":
                told = f"{scores}-train"
                whole, seen = self.folder / "log" / f"{path.stem}.json", "s90c00-train.jsonl"
                self.eval(run, whole, clips / seen, "plain", "--scores", told)
                self.keep(path, {"loss": mean_loss(told)})
            elif of == "static":
                self.keep(path, {"entropy": static_entropy(scores)})
            else:
                stream = ("--stream", "b") if of == "scene-b" else ()
                self.probe(run, path, free, *stream)

    def clips(self, seed: int) -> Path:
        """The folder of a seed's clips, made where they are not there."""
        folder = self.folder / f"clips-{seed}"
        if not (folder / "test-conflict.jsonl").exists():
            self.demo(folder, seed, "--bias", ".9,0", "--splits", SPLITS)
        return folder

    def start(self, model: str, seed: int) -> tuple[str, ...]:
        """What the arms of a seed start from: conv3d trained on clips whose background tells
        nothing, a small CLIP of captions."""
        if (model, seed) not in self.starts:
            made = self.unbiased(seed) if model == "conv3d" else self.clip(seed)
            self.starts[model, seed] = ("--weights", str(made))
        return self.starts[model, seed]

    def unbiased(self, seed: int) -> Path:
        run, clips = self.folder / "runs" / f"start-{seed}", self.clips(seed)
        records = clips / "s00c00-train.jsonl"
        if not records.exists():
            self.demo(clips, seed, "--bias", "0,0", "--splits", "train")
        self.training(run, START, seed, records)
        return run

    def bank(self, seed: int) -> Path:
        """The frames that a network of single frames is most certain about."""
        bank, clips = self.folder / f"bank-{seed}", self.clips(seed)
        if not bank.exists():
            run, made = self.folder / "runs" / f"frames-{seed}", bank.with_name(f"making-{seed}")
            records = clips / "s90c00-train.jsonl"
            self.training(run, FRAMES, seed, records)
            self.sbtools(bank.name, "bank", *BANK, "--workers", "0", "--overwrite", "--scores",
                         str(self.folder / f"frame-scores-{seed}"), "-o", str(made), str(run),
                         str(records))  # fmt: skip
            made.rename(bank)
        return bank

    def backgrounds(self, seed: int) -> Path:
        """The training clips without their people."""
        found, clips = self.folder / f"backgrounds-{seed}", self.clips(seed)
        if not found.exists():
            made = found.with_name(f"emptying-{seed}")
            self.sbtools(found.name, "mask", "--mode", "person-box", "--fill", "inpaint",
                         "--workers", "0", "--overwrite", "-o", str(made),
                         str(clips / "s90c00-train.jsonl"))  # fmt: skip
            made.rename(found)
        return found

    def probe(self, run: Path, path: Path, records: Path, *words: str) -> None:
        """How well a linear probe reads the scene in the features of the clips."""
        store, log = self.folder / "features" / path.stem, self.folder / "log"
        told = log / f"{path.stem}.jsonl"
        self.sbtools(path.stem, "features", *ONE, *cache(records), *words, "-o", str(store),
                     str(run), str(records))  # fmt: skip
        self.sbtools(f"{path.stem}-probe", "probe", "--target", "scene", str(told))
        path.write_text((log / f"{path.stem}-probe.jsonl").read_text())

    def keep(self, path: Path, told: Mapping[str, Any]) -> None:
        path.write_text(json.dumps(told) + "\n")


def static_entropy(scores: str) -> float:
    """Of a store of scores: the mean over clips of H(p) / log K of the motionless clip, 0 to 1."""
    blocks = from_stores([scores]).blocks
    z = np.concatenate([block.scores["static"] for block in blocks]).astype(np.float64)
    return -float(negative_entropy(torch.from_numpy(z))) / math.log(z.shape[1])


def mean_loss(scores: str) -> float:
    """Of a store of scores: the mean over clips of the cross-entropy, in nats."""
    found = from_stores([scores])
    z, labels = [], []
    for block in found.blocks:
        z.append(block.scores["plain"].astype(np.float64))
        labels += [found.classes.index(record["label"]) for record in block.records]
    told = torch.from_numpy(np.concatenate(z))
    return float(torch.nn.functional.cross_entropy(told, torch.tensor(labels)))


def same(run: Path, other: Path) -> bool:
    """Whether the networks of two runs have the same weights, bit for bit."""
    one, two = (torch.load(each / "last.pt", weights_only=True)["model"] for each in (run, other))
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("out", type=Path)
    asked.add_argument("--part", choices=PARTS, default="moves")
    asked.add_argument("--fast", action="store_true")
    asked.add_argument("--scale", type=float, default=SCALE)
    asked.add_argument("--seeds", type=lambda text: tuple(map(int, text.split(","))))
    asked.add_argument("--models")
    asked.add_argument("--arms")
    asked.add_argument("--jobs", type=int, default=2)
    given = asked.parse_args()
    parts = [part.of(given.seeds, given.arms and given.arms.split(","))
             for part in PARTS[given.part]
             if part.model in (given.models or part.model).split(",")]  # fmt: skip
    known = {name for part in PARTS[given.part] for name in (part.model, *part.arms)}
    for name in ",".join(filter(None, (given.models, given.arms))).split(","):
        if name and name not in known:
            asked.error(f"--part {given.part} has no '{name}'")
    demo = Demo(given.out, given.fast, given.scale)
    for part in parts:
        told = {"fast": given.fast, "scale": demo.scale, "train": {part.model: TRAINED[part.model]},
                "before": [START, FRAMES, BANK],
                "arms": {name: asdict(ARMS[name]) for name in part.arms}}  # fmt: skip
        require_same(given.out / "settings.json", told)

    def whole(seed: int) -> None:
        for part in parts:
            for arm in part.arms if seed in part.seeds else ():
                demo.run(part, arm, seed)

    with ThreadPoolExecutor(given.jobs) as pool:
        list(pool.map(whole, sorted({seed for part in parts for seed in part.seeds})))
    sys.stdout.write("\n".join(lines(demo.results, parts)))


if __name__ == "__main__":
    main()
