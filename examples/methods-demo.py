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
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from methods_arms import ARMS, BANK, FAST, FRAMES, PARTS, SCALE, START, TRAINED, Part
from methods_table import Results, lines, wanted

from sbtools.evaluate.scores import from_stores
from sbtools.losses import negative_entropy

SPLITS = "train,val-iid,test-unbiased,test-conflict"
ONE = ("--workers", "0", "--threads", "1")


class Demo:
    """Clips, runs and results in a folder; `call` runs a command of sbtools."""

    def __init__(
        self, folder: Path, fast: bool = False, scale: float = SCALE, call: Any = None
    ) -> None:
        self.folder, self.fast, self.call = folder, fast, call or self._call
        self.scale = FAST if fast else scale
        self.results, self.starts = Results(folder / "results"), {}

    def _call(self, words: Sequence[str], log: Path) -> None:
        with open(log, "wb") as told:
            subprocess.run(["sbtools", *words], stdout=told, check=True, cwd=self.folder)

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
            self.demo(folder, seed, "--cell", ".9,0", "--splits", SPLITS)
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
            self.demo(clips, seed, "--cell", "0,0", "--splits", "train")
        self.training(run, START, seed, records)
        return run

    def clip(self, seed: int) -> Path:
        path, folder = self.folder / f"tiny-{seed}.safetensors", self.folder / f"captions-{seed}"
        if not (folder / "captions.jsonl").exists():
            self.demo(folder, seed, "--captions", "--splits", "captions")
        if not path.exists():
            epochs = "1" if self.fast else "5"
            self.sbtools(path.stem, "train", "--pretrain", "captions", "--epochs", epochs, "--seed",
                         str(seed), "-o", str(path), str(folder / "captions.jsonl"))  # fmt: skip
        return path

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

    def training(self, run: Path, words: Sequence[str], seed: int, records: Path) -> None:
        short = ("--epochs", "1", "--warmup", "0") if self.fast else ()
        self.sbtools(run.name, "train", *words, *short, *ONE, "--seed", str(seed),
                     *cache(records), "-o", str(run), str(records))  # fmt: skip

    def eval(self, run: Path, path: Path, records: Path, views: str, *words: str) -> None:
        self.sbtools(path.stem, "eval", "--no-per-clip", "--examples", "0", "--views", views, *ONE,
                     *cache(records), *words, "-o", str(path), str(run), str(records))  # fmt: skip

    def probe(self, run: Path, path: Path, records: Path, *words: str) -> None:
        """How well a linear probe reads the scene in the features of the clips."""
        store, log = self.folder / "features" / path.stem, self.folder / "log"
        told = log / f"{path.stem}.jsonl"
        self.sbtools(path.stem, "features", *ONE, *cache(records), *words, "-o", str(store),
                     str(run), str(records))  # fmt: skip
        self.sbtools(f"{path.stem}-probe", "probe", "--target", "scene", str(told))
        path.write_text((log / f"{path.stem}-probe.jsonl").read_text())

    def demo(self, folder: Path, seed: int, *words: str) -> None:
        scale = self.scale * (2 if "--captions" in words else 1)
        self.sbtools(folder.name, "demo", "--seed", str(seed), "--scale", f"{scale:g}", "--workers",
                     "0", *words, str(folder))  # fmt: skip

    def sbtools(self, name: str, command: str, *words: str) -> None:
        """Run a command in the folder; paths are told as they are from there, so that results name
        no other place."""
        (self.folder / "log").mkdir(parents=True, exist_ok=True)
        self.results.folder.mkdir(exist_ok=True)
        here = f"{self.folder}{os.sep}"
        told = [word.replace(f"={here}", "=").removeprefix(here) for word in words]
        self.call([command, "-q", *told], self.folder / "log" / f"{name}.jsonl")

    def keep(self, path: Path, told: Mapping[str, Any]) -> None:
        path.write_text(json.dumps(told) + "\n")


def cache(records: Path) -> tuple[str, str]:
    """Words of a command that decodes each clip of these once, whatever else reads them."""
    return "--cache", str(records.parent / "cache")


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


def require_same(path: Path, settings: Mapping[str, Any]) -> None:
    """Settings are not changed under a comparison that has begun; arms may come to it."""
    known = json.loads(path.read_text()) if path.exists() else {}
    whole = merged(known, json.loads(json.dumps(settings)))
    if whole is None:
        sys.exit(f"methods-demo.py: {path.parent} was begun with other settings: another OUT")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=1) + "\n")


def merged(known: dict[str, Any], more: dict[str, Any]) -> dict[str, Any] | None:
    """Both; None where they say different things of the same."""
    found = dict(known)
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(found.setdefault(name, {}), dict):
            value = merged(found[name], value)
            found[name] = value
        if value is None or found.setdefault(name, value) != value:
            return None
    return found


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
