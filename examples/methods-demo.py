#!/usr/bin/env python
"""Does a method move what it names? Each against plain training of the same whole seed.

    python examples/methods-demo.py [--fast] [--scale F] [--seeds 1-6] [--models A] [--arms A,B] OUT

Clips have the background of their class in 9 of 10 (rho .9); models are judged on clips with free
backgrounds, and on clips with another class's. A seed draws clips, weights, order and all else
anew. conv3d is trained with 6 seeds, vificlip, from a small CLIP pretrained for each, with 3. An
arm with a method is asked whether it moves what it names, up or down as it says, by a paired t
interval over seeds; its twins whose weights are 0, and whose signs are turned, are asked the same,
and are not to.

Run it again, also after Ctrl-C: whatever is done is not done again. The table goes to stdout, made
of OUT/results alone. --scale is how many times the usual number of clips there are. --fast tries
the commands out, and what it prints means nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sbtools.evaluate import result
from sbtools.evaluate.scores import from_stores
from sbtools.evaluate.seeds import paired

ENTROPY, SBERR, TOP1 = "static entropy", "SBErr", "top1"
ALBAR = ("--method", "albar", "--set", "gp_reduction=sample")
"""w_gp is 10 / sqrt(32), at 32 pixels what the official code's 10 is."""

W = {"w_adv": 1.0, "w_ent": 4.25, "w_gp": 1.77}


def _albar(sign: float, **more: str) -> list[str]:
    weights = {
        "w_adv": sign * W["w_adv"],
        "w_ent": sign * W["w_ent"],
        "w_gp": abs(sign) * W["w_gp"],
    }
    told = {**{name: f"{value:g}" for name, value in weights.items()}, **more}
    return [*ALBAR, *(word for name in told for word in ("--set", f"{name}={told[name]}"))]


ARMS: dict[str, list[str]] = {
    "plain": [],
    "mask": ["--method", "mask"],
    "albar": _albar(1),
    "albar-capped": _albar(1, adv_cap="log-k"),
    "albar-0": _albar(0),
    "albar-turned": _albar(-1),
}
CLAIMS: dict[str, tuple[str, int]] = {
    "mask": (SBERR, -1),
    **{arm: (ENTROPY, 1) for arm in ARMS if arm.startswith("albar")},
}
"""What an arm is to move, and whether up or down."""

CONTROLS = ("albar-0", "albar-turned")
SEEDS = {"conv3d": 6, "vificlip": 3}
TRAINED: dict[str, list[str]] = {
    "conv3d": ["--model", "linear", "--set-model", "backbone=conv3d", "--epochs", "12", "--warmup",
               "1", "--batch", "32", "--lr", "3e-3"],
    "vificlip": ["--model", "vificlip", "--set-model", "normalise=clip", "--set-model",
                 "crop=centre", "--set-model", "short=64", "--set-model", "jitter=0", "--set-model",
                 "gray=0", "--epochs", "12", "--warmup", "1", "--batch", "32", "--lr", "1.5e-3"],
}  # fmt: skip
GATES = ((TOP1, 85, "val", 1), (SBERR, 50, "conflict", 1), (TOP1, 30, "free", -1))
"""Of plain conv3d, means over seeds: at least, or with -1 at most."""


class Demo:
    """Clips, runs and results in a folder; `call` runs a command of sbtools."""

    def __init__(
        self, folder: Path, fast: bool = False, scale: float = 1.0, call: Any = None
    ) -> None:
        self.folder, self.fast, self.call = folder, fast, call or self._call
        self.scale = 0.01 if fast else scale

    def _call(self, words: Sequence[str], log: Path) -> None:
        with open(log, "wb") as lines:
            subprocess.run(["sbtools", *words], stdout=lines, check=True)

    def run(self, model: str, arm: str, seed: int) -> None:
        """Train and judge one arm, as far as that is not done."""
        wanted = [self.result(model, arm, seed, of) for of in ("val", "free", "conflict", "static")]
        if all(path.exists() for path in wanted):
            return
        clips, run = self.clips(seed), self.folder / "runs" / f"{arm}-{model}-{seed}"
        start = self.start(model, seed)
        sys.stderr.write(f"seed {seed}: {model}, {arm}\n")
        self.sbtools(run.name, "train", *TRAINED[model], *start, *ARMS[arm], "--seed", str(seed),
                     "--cache", str(clips / "cache"), "-o", str(run), "--workers", "0",
                     *(["--epochs", "1", "--warmup", "0"] if self.fast else []),
                     str(clips / "s90c00-train.jsonl"))  # fmt: skip
        sets = {"val": "s90c00-val-iid", "free": "test-unbiased", "conflict": "test-conflict"}
        for of, records in sets.items():
            views = ["plain", "static"] if of == "free" else ["plain"]
            path = self.result(model, arm, seed, of)
            if not path.exists():
                kept = ["--scores", str(run / "free")] if of == "free" else []
                self.sbtools(f"{run.name}-{of}", "eval", "--no-per-clip", "--examples", "0",
                             "--workers", "0", "--views", ",".join(views), *kept,
                             "-o", str(path), str(run), str(clips / f"{records}.jsonl"),
                )  # fmt: skip
        told = {"entropy": static_entropy(str(run / "free"))}
        self.result(model, arm, seed, "static").write_text(json.dumps(told) + "\n")

    def clips(self, seed: int) -> Path:
        """The folder of a seed's clips, made where they are not there."""
        folder = self.folder / f"clips-{seed}"
        if not (folder / "test-conflict.jsonl").exists():
            self.demo(folder, seed, "--splits", "train,val-iid,test-unbiased,test-conflict")
        return folder

    def start(self, model: str, seed: int) -> list[str]:
        """The small CLIP that the arms of a seed start from."""
        if model != "vificlip":
            return []
        path, folder = self.folder / f"tiny-{seed}.safetensors", self.folder / f"captions-{seed}"
        if not (folder / "captions.jsonl").exists():
            self.demo(folder, seed, "--captions", "--splits", "captions")
        if not path.exists():
            epochs = "1" if self.fast else "5"
            self.sbtools(path.stem, "train", "--pretrain", "captions", "--epochs", epochs, "--seed",
                         str(seed), "-o", str(path), str(folder / "captions.jsonl"))  # fmt: skip
        return ["--weights", str(path)]

    def demo(self, folder: Path, seed: int, *words: str) -> None:
        self.sbtools(folder.name, "demo", "--seed", str(seed), "--cell", ".9,0", "--scale",
                     f"{self.scale:g}", "--workers", "0", *words, str(folder))  # fmt: skip

    def sbtools(self, name: str, command: str, *words: str) -> None:
        (self.folder / "log").mkdir(parents=True, exist_ok=True)
        (self.folder / "results").mkdir(exist_ok=True)
        self.call([command, "-q", *words], self.folder / "log" / f"{name}.jsonl")

    def result(self, model: str, arm: str, seed: int, of: str) -> Path:
        return self.folder / "results" / f"{arm}-{model}-{seed}-{of}.json"

    def value(self, model: str, arm: str, seed: int, what: str, of: str = "free") -> float | None:
        """In percent; static entropy in percent of log K. None where it is not there yet."""
        of = {ENTROPY: "static", SBERR: "conflict"}.get(what, of)
        path = self.result(model, arm, seed, of)
        if not path.exists():
            return None
        if what == ENTROPY:
            return 100 * float(json.loads(path.read_text())["entropy"])
        return 100 * float(result.read(str(path))["metrics"][what.lower()]["value"])


def static_entropy(scores: str) -> float:
    """Of a store of scores: the mean over clips of H(p) / log K of the motionless clip, 0 to 1."""
    each = []
    for block in from_stores([scores]).blocks:
        z = block.scores["static"].astype(np.float64)
        z = z - z.max(1, keepdims=True)
        log = z - np.log(np.exp(z).sum(1, keepdims=True))
        each.append(-(np.exp(log) * log).sum(1) / math.log(z.shape[1]))
    return float(np.concatenate(each).mean())


def table(values: Mapping[tuple[str, str], Mapping[str, Sequence[float]]]) -> Iterator[str]:
    """values: [model, arm][quantity], one for each seed, the same seeds for all arms of a model."""
    yield "| model | arm | seeds | static entropy | SBErr | top1, free | moves what it names |"
    yield "|---|---|--:|--:|--:|--:|---|"
    for (model, arm), own in values.items():
        means = " | ".join(f"{np.mean(own[what]):.1f}" for what in (ENTROPY, SBERR, TOP1))
        told = verdict(arm, values[model, "plain"], own) if arm in CLAIMS else ""
        yield f"| {model} | {arm} | {len(own[TOP1])} | {means} | {told} |"


def verdict(arm: str, plain: Mapping[str, Sequence[float]], own: Mapping[str, Any]) -> str:
    """Whether the quantity of an arm moves as claimed: of a control it is not to."""
    what, sign = CLAIMS[arm]
    found = paired(np.subtract(own[what], plain[what]))
    moves = found.low > 0 if sign > 0 else found.high < 0
    span = "no interval" if math.isnan(found.low) else f"{found.low:+.1f} to {found.high:+.1f}"
    told = f"{what} {found.value:+.1f} [{span}]"
    if len(own[what]) < 2:
        return f"{told}: one seed tells nothing"
    wanted = "" if moves != (arm in CONTROLS) else " (**not as it should be**)"
    return f"{told}: {'yes' if moves else 'no'}{wanted}"


def gathered(demo: Demo, seeds: Mapping[str, Sequence[int]], arms: Sequence[str]) -> Any:
    """What `table` takes, of the seeds that all of these arms have."""
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    for model, asked in seeds.items():
        rows = {(arm, seed): [demo.value(model, arm, seed, what) for what in (ENTROPY, SBERR, TOP1)]
                for arm in arms for seed in asked}  # fmt: skip
        whole = [seed for seed in asked if all(None not in rows[arm, seed] for arm in arms)]
        for arm in arms if whole else ():
            columns = zip(*(rows[arm, seed] for seed in whole), strict=True)
            found[model, arm] = dict(zip((ENTROPY, SBERR, TOP1), map(list, columns), strict=True))
    return found


def gates(demo: Demo, seeds: Sequence[int]) -> Iterator[str]:
    """Whether plain conv3d has the bias that a method is to take away."""
    for what, limit, of, sign in GATES:
        values = [demo.value("conv3d", "plain", seed, what, of) for seed in seeds]
        known = [value for value in values if value is not None]
        if known:
            mean = float(np.mean(known))
            kind = "at least" if sign > 0 else "at most"
            met = "met" if sign * (mean - limit) >= 0 else "**missed**"
            yield f"- plain conv3d, {what} on {of}: {mean:.1f}, {kind} {limit}: {met}"


def require_same(path: Path, settings: Mapping[str, Any]) -> None:
    """Settings are not changed under a comparison that has begun."""
    text = json.dumps(settings, indent=1) + "\n"
    if path.exists() and path.read_text() != text:
        sys.exit(f"methods-demo.py: {path.parent} was begun with other settings: another OUT")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def numbers(text: str) -> list[int]:
    """1-6 or 1,3,5."""
    first, dash, last = text.partition("-")
    return list(range(int(first), int(last) + 1)) if dash else [int(n) for n in text.split(",")]


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("out", type=Path)
    asked.add_argument("--fast", action="store_true")
    asked.add_argument("--scale", type=float, default=1.0)
    asked.add_argument("--seeds", type=numbers)
    asked.add_argument("--models", default=",".join(SEEDS))
    asked.add_argument("--arms", default=",".join(ARMS))
    given = asked.parse_args()
    models, arms = given.models.split(","), given.arms.split(",")
    seeds = {model: given.seeds or list(range(1, SEEDS[model] + 1)) for model in models}
    demo = Demo(given.out, given.fast, given.scale)
    told = {"fast": given.fast, "scale": demo.scale, "arms": ARMS, "train": TRAINED}
    require_same(given.out / "settings.json", told)
    for model in models:
        for seed in seeds[model]:
            for arm in arms:
                demo.run(model, arm, seed)
    rows = gathered(demo, seeds, arms)
    lines = [*table(rows), "", *gates(demo, seeds.get("conv3d", ()))]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
