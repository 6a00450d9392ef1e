"""Whole runs of `sbtools train`, of 21 steps, by AdamW in float32."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

from tests.floor.commands import EVAL, TESTED, environment, of_result, of_scores, say, sbtools
from tests.floor.pieces import weights_of
from tests.floor.tensors import described

RECORDS = "demo/s90c00-train.jsonl"
"""12 clips, of `tests.floor.commands.DEMO`."""
TRAIN = ["train", "--set-model", "arch=tiny", "--batch", "4", "--frames", "4", "--epochs", "7",
         "--lr", "1e-4", "--warmup", "1", "--workers", "0", "--device", "cpu"]  # fmt: skip
MODELS = ("vificlip", "actionclip")
METHODS = ("none", "mask")
OBJECTIVES = {
    "infonce": ["--objective", "infonce"],
    "one-sided": ["--objective", "infonce", "--set-objective", "symmetric=false"],
    "class_ce": ["--objective", "class_ce"],
    "kl": ["--objective", "kl"],
}


def figures(folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Figures of the runs by name, and digests of what `sbtools eval` makes of some of them."""
    found: dict[str, Any] = {}
    for model, method, objective in product(MODELS, METHODS, OBJECTIVES):
        words = ["--model", model, "--method", method, *OBJECTIVES[objective]]
        found[f"train {model} {method} {objective}"] = _run(folder, f"{model}-{method}", words)
    for model, method in product(MODELS, METHODS):
        words = ["--model", model, "--method", method]
        stopped = _run(folder, "stopped", words, stop=True)
        found[f"train {model} {method}, resumed"] = stopped
        found[f"train {model} {method}, 2 ranks"] = _run(folder, "two", [*words, "--ranks", "2"])
    more = ["--ema", "0.9", "--accumulate", "2", "--val", "demo/s90c00-val-iid.jsonl"]
    more += ["--select", "val", "--clip-grad", "1", "--method", "mask", "--set", "ratio=1:1:1:1"]
    found["train vificlip mask, more"] = _run(folder, "more", more)
    digests = {}
    for run in ("vificlip-mask", "actionclip-mask", "more"):  # the first two: by the last objective
        which = "ema" if run == "more" else "last"
        words = ["eval", run, "--which", which, *EVAL, "--scores", f"of-{run}", TESTED]
        digests |= dict(of_result(f"of run {run}", sbtools(folder, *words)))
        digests[f"scores of run {run}"] = of_scores(folder / f"of-{run}")
    return found, digests


def _run(folder: Path, run: str, words: list[str], stop: bool = False) -> dict[str, Any]:
    asked = [*TRAIN, *words, "-o", run, RECORDS]
    if stop:
        _stopped(folder, [*asked, "--overwrite"])
        lines = sbtools(folder, *asked)
    else:
        lines = sbtools(folder, *asked, "--overwrite")
    told = [json.loads(line) for line in lines.splitlines()]
    return {
        "dtype": "float32",
        "optimiser": "adamw",
        "losses": [line["losses"] for line in told],
        "lr": [line["lr"] for line in told],
        "weights": described(weights_of(str(folder / run))),
    }


def _stopped(folder: Path, words: list[str]) -> None:
    """Run the command until it has told an epoch; then it is asked to stop."""
    say(f"sbtools {' '.join(words)}, stopped")
    with subprocess.Popen(
        [sys.executable, "-m", "sbtools", *words], cwd=folder, env=environment(),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate()
    assert process.returncode in (0, 143), said.decode(errors="replace")
