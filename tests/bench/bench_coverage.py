"""How often 95 % intervals hold the truth: over seeds, and of shares over sources.

One JSON line a cell, in percent of the data sets. `--sets N` for a quick look. The tables stand in
sbtools-compare(1) and sbtools-result(5).

Over seeds: a clip is answered rightly where mean + clip + clip by arm + training + noise > 0, all
normal; the truth is then a difference of two normal probabilities. Clips are drawn once where seeds
share their test clips, else for each seed. With pairs, the two arms of a seed share a part of their
training (pretraining and training clips), and their clips; without, they share neither, but for
clips that all seeds share.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from scipy.stats import norm

from sbtools.evaluate.intervals import Clusters
from sbtools.evaluate.seeds import combined
from sbtools.evaluate.shares import shares

MEANS, CLIP, CLIP_ARM, TRAINING, BOTH = (0.0, 0.4), 0.7, 0.5, 0.3, 0.3
CLIPS = 100
SEEDS = (2, 3, 5, 10)
KINDS = (
    ("own", "own", True), ("own", "own", False), ("shared", "shared", True),
    ("shared", "shared", False), ("shared", "own", True), ("own", "shared", True),
)  # fmt: skip
"""What test clips are, what they are taken for, and whether seeds are paired."""
SOURCES, ALIKE, SHARES = (5, 10, 20, 50), (0.0, 0.5), (0.02, 0.1, 0.5, 0.9, 0.98)


def answers(
    rng: np.random.Generator, sets: int, seeds: int, clips: str, paired: bool
) -> np.ndarray:
    """Hits, float64 [sets, 2 arms, seeds, CLIPS]."""
    drawn = 1 if clips == "shared" else seeds
    clip = rng.normal(0, CLIP, (sets, 1 if paired or drawn == 1 else 2, drawn, CLIPS))
    by_arm = rng.normal(0, CLIP_ARM, (sets, 2, drawn, CLIPS))
    training = rng.normal(0, TRAINING, (sets, 2, seeds, 1))
    both = rng.normal(0, BOTH, (sets, 1 if paired else 2, seeds, 1))
    noise = rng.normal(0, 1, (sets, 2, seeds, CLIPS))
    mean = np.array(MEANS)[:, None, None]
    return (mean + clip + by_arm + training + both + noise > 0).astype(np.float64)


def truth() -> float:
    """B less A."""
    spread = (1 + CLIP**2 + CLIP_ARM**2 + TRAINING**2 + BOTH**2) ** 0.5
    return float(np.diff(norm.cdf(np.array(MEANS) / spread))[0])


def over_seeds(seeds: int, clips: str, taken: str, paired: bool, sets: int) -> float:
    """Coverage in percent, of so many data sets."""
    rng = np.random.default_rng([seeds, clips == "own", taken == "own", paired])
    held, true, codes = 0, truth(), np.arange(CLIPS)
    for begin in range(0, sets, 100):
        drawn = answers(rng, min(100, sets - begin), seeds, clips, paired)
        for arms in drawn:
            rows = list(arms) if taken == "shared" else None
            found = combined(list(arms.mean(2)), [-1.0, 1.0], paired, clips=rows, sources=codes)
            held += not (found.low > true or found.high < true)
    return 100 * held / sets


def over_sources(sources: int, alike: float, share: float, sets: int) -> float:
    """Coverage of a share, in percent; of sources of 1 to 10 clips, alike by so much."""
    rng = np.random.default_rng([sources, int(100 * alike), int(100 * share)])
    sizes = rng.integers(1, 11, (sets, sources))
    own = np.full(sizes.shape, share)
    if alike:
        rest = (1 - alike) / alike
        own = rng.beta(share * rest, (1 - share) * rest, sizes.shape)
    values = (rng.random(sizes.sum()) < np.repeat(own.ravel(), sizes.ravel())).astype(np.float64)
    codes = np.repeat(np.tile(np.arange(sources), sets), sizes.ravel())
    keys = np.repeat(np.arange(sets), sizes.sum(1))
    found = shares(values, np.ones(len(values)), Clusters(codes, sources), keys, sets)
    return float(100 * np.mean((found.low <= share) & (share <= found.high)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", type=int, default=2000)
    sets = parser.parse_args().sets
    for clips, taken, paired in KINDS:
        for seeds in SEEDS:
            held = over_seeds(seeds, clips, taken, paired, sets)
            cell = {"bench": "seeds", "clips": clips, "taken": taken, "paired": paired}
            print(json.dumps({**cell, "seeds": seeds, "held": held}), flush=True)
    for alike in ALIKE:
        for sources in SOURCES:
            held = {share: over_sources(sources, alike, share, sets) for share in SHARES}
            print(json.dumps({"bench": "sources", "alike": alike, "sources": sources, **held}))


if __name__ == "__main__":
    main()
