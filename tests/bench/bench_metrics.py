"""Every metric of 240,000 clips from a store of scores, and of 10,000 clips with counterparts:
seconds and peak memory.

One JSON line per figure. K = 400 classes, 1,000 draws, groups, in a process of its own, so that
what made the store does not count. The first are in 3 views; the others in 6, each with a composite
and its still frame on backgrounds of three kinds, and a swap, 80,000 in all: below 10 s. `--clips
N` and `--pairs N` for a quick look.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

from sbtools.store import ScoresWriter

CLASSES = [f"class {number}" for number in range(400)]
VIEWS = {"plain": 4.0, "bg": 2.5, "person-box": 1.5}
CONTROLS = {"static": 2.0, "shuffled": 3.0, "reversed": 3.5}
KINDS = ("places", "vqgan", "stripe")
WITH = 2 + 2 * len(KINDS)
"""Clips of one original: itself, a swap, and two of each kind."""


def make(folder: str, clips: int, pairs: bool = False) -> float:
    """A store of made-up scores: a source of three clips, some masks empty; or pairs."""
    rng = np.random.default_rng(0)
    began, views = time.perf_counter(), {**VIEWS, **(CONTROLS if pairs else {})}
    many = clips * WITH if pairs else clips
    with ScoresWriter(folder, CLASSES, "logits", list(views), {}, {}, part_seconds=1e9) as out:
        for number in range(many):
            label = int(rng.integers(400))
            scores = {}
            for view, gain in views.items():
                row = rng.standard_normal(400, np.float32)
                row[label] += gain
                scores[view] = row
            record = {
                "id": f"{CLASSES[label]}/{number:09}_000010",
                "label": CLASSES[label],
                "source": f"video {number // 3}",
                "dataset": "kinetics400",
                "scene": f"scene {number % 12}",
                "background_label": CLASSES[int(rng.integers(400))],
            }
            if pairs:
                record |= counterpart(number)
            covered = {"bg": float(number % 20 > 0), "person-box": 1.0}
            out.add_scores(record, scores, covered, {"bg": 0.2, "person-box": 0.3})
        out.close()
    return time.perf_counter() - began


def counterpart(number: int) -> dict[str, str]:
    """Of every WITH clips the first is an original, the last a swap, the others of each kind a
    composite and its still frame."""
    first, place = number // WITH * WITH, number % WITH
    fields = {"id": f"{number:09}", "source": f"video {first}", "scene": f"scene {first % 12}"}
    if place == WITH - 1:
        fields |= {"pair_of": f"{first:09}", "variant": "swap", "background_kind": "random"}
    elif place:
        still = place % 2 == 0
        fields["pair_of"] = f"{number - 1 if still else first:09}"
        fields["variant"] = "scufo" if still else "scuba"
        fields["background_kind"] = KINDS[(place - 1) // 2]
    return fields


def measure(folder: str, out: str, pairs: bool) -> None:
    """The child: from the store to a result file."""
    from sbtools.evaluate import from_scores, result
    from sbtools.evaluate.scores import from_stores

    began, before = time.perf_counter(), time.process_time()
    scores = from_stores([folder])
    found = from_scores(scores, group_by="scene", draws=1000, pairs=pairs)
    result.write(out, found)
    seconds, cpu = time.perf_counter() - began, time.process_time() - before
    again = time.perf_counter()
    result.read(out)
    figures = {
        "bench": "from_scores, pairs" if pairs else "from_scores",
        "clips": found["clips"]["used"] + found["clips"]["counterparts"],
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 2),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        "result_mb": round(os.path.getsize(out) / 1e6, 1),
        "read_seconds": round(time.perf_counter() - again, 2),
        "torch": "torch" in sys.modules,
    }
    sys.stdout.write(json.dumps(figures) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=240_000)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--measure", nargs=2)
    asked = parser.parse_args()
    if asked.measure:
        measure(*asked.measure, asked.pairs > 0)
        return
    for clips, pairs in ((asked.clips, False), (asked.pairs, True)):
        with tempfile.TemporaryDirectory() as folder:
            store = os.path.join(folder, "scores")
            seconds = make(store, clips, pairs)
            line = {"bench": "write scores", "clips": clips, "seconds": round(seconds, 1)}
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
            words = ["--measure", store, os.path.join(folder, "result.json")]
            words += ["--pairs", str(clips if pairs else 0)]
            subprocess.run([sys.executable, __file__, *words], check=True)


if __name__ == "__main__":
    main()
