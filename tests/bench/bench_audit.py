"""The probes of an audit: 10,000 clips x 512 features, 100 classes, for each of the five cues.

A cue is what `sbtools.audit.measure.measured` does of it: folds, penalties, shuffled labels,
intervals, p; one of the five is held against its holes too. Prints a line of JSON: seconds and
processor time of all five together, and what the probe has right beside scikit-learn's logistic
regression of the same folds on a tenth of the clips. Goal: 60 seconds of processor time with one
thread, and no more than a point less than logistic regression. The status is 1 where it was missed.

    OMP_NUM_THREADS=1 python -m tests.bench.bench_audit [--clips 10000] [--width 512]
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import numpy as np

from sbtools.audit.discriminant import cross_fitted
from sbtools.audit.measure import Labelled, measured
from sbtools.probe.fit import cross_fitted as logistic

LIMIT, CUES, CLASSES, LESS = 60.0, 5, 100, 0.01


def features(labels: np.ndarray, width: int, seed: int) -> np.ndarray:
    """Float32 [N, D] that tell about half of the labels."""
    drawn = np.random.default_rng(seed)
    centres = 0.25 * drawn.standard_normal((int(labels.max()) + 1, width))
    found: np.ndarray = centres[labels] + drawn.standard_normal((len(labels), width))
    return found.astype(np.float32)


def clips(count: int) -> Labelled:
    """Clips of sources of four, whose labels are drawn."""
    drawn = np.random.default_rng(0).integers(0, CLASSES, -(-count // 4))
    return Labelled.of([
        {"id": f"{at:06}", "source": f"{at // 4:05}", "label": f"{drawn[at // 4]:03}"}
        for at in range(count)
    ])  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=512)
    asked = parser.parse_args()
    given = clips(asked.clips)
    tables = [features(given.labels, asked.width, seed) for seed in range(CUES + 1)]
    wall, processor = time.perf_counter(), time.process_time()
    for place, values in enumerate(tables[:CUES]):
        measured(given, values, tables[CUES] if place == 1 else None, 5, 0, 0.95)
    took = time.perf_counter() - wall, time.process_time() - processor
    some = np.arange(len(given.ids)) < len(given.ids) // 10
    labels = np.unique(given.labels[some], return_inverse=True)[1].astype(np.int64)
    codes, values = given.sources.codes[some], tables[0][some]
    ours = float((cross_fitted(values, [labels], codes)[0].predicted == labels).mean())
    theirs = float((logistic(values, labels, codes).predicted == labels).mean())
    missed = took[1] > LIMIT or ours < theirs - LESS
    told = {"clips": asked.clips, "features": asked.width, "classes": len(given.classes),
            "cues": CUES, "seconds": round(took[0], 1), "processor": round(took[1], 1),
            "limit": LIMIT, "right": ours, "logistic": theirs, "missed": missed}  # fmt: skip
    sys.stdout.write(f"{json.dumps(told)}\n")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
