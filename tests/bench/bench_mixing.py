"""Augmentations that mix clips, of 8 x 16 frames of 112 x 112, against copying the batch twice.

Every clip is mixed (p 1), in float32. Each augmentation and the two copies, `video.clone()` of
torch, take turns; prints a line of JSON for each: the median of the ratios of seconds with its
interval, and the medians. Goals: the interval's upper end at most 1.5, of fame 6. The status is 1
where a goal was missed.

    python -m tests.bench.bench_mixing [--pairs 25] [--threads 2] [--tiny]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

from sbtools import methods
from sbtools.allocator import keep_memory
from sbtools.mask.fill import NORMALISE
from sbtools.rng import Draws
from tests.bench.intervals import median_interval

LIMIT, SLOW = 1.5, {"fame": 6.0}
CLASSES = 10
NAMES: dict[str, dict[str, Any]] = {
    "mixup": {}, "cutmix": {}, "videomix": {}, "be": {}, "actorcutmix": {}, "fame": {},
    "swap": {"backgrounds": "given"}, "stillmix": {"frames": "random"},
}  # fmt: skip


def batch(clips: int, frames: int, side: int) -> dict[str, Any]:
    drawn = torch.Generator().manual_seed(0)
    video = torch.randn(clips, frames, 3, side, side, generator=drawn)
    people = torch.zeros(clips, frames, side, side, dtype=torch.bool)
    people[..., side // 4 : side // 2, side // 4 : side // 2] = True
    target = torch.nn.functional.one_hot(torch.arange(clips) % CLASSES, CLASSES).float()
    return {"video": video, "target": target, "id": [f"clip {n}" for n in range(clips)],
            "normalise": NORMALISE["imagenet"], "person": people, "person_box": people,
            "background": video.flip(0).clone()}  # fmt: skip


def seconds(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pairs", type=int, default=25)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tiny", action="store_true", help="clips of a few pixels")
    asked = parser.parse_args()
    keep_memory()
    torch.set_num_threads(asked.threads)
    given = batch(*((3, 2, 8) if asked.tiny else (8, 16, 112)))
    good = True
    for name, settings in NAMES.items():
        method = methods.build(name, p=1.0, **settings)
        took: dict[str, list[float]] = {"mixed": [], "copies": []}
        for number in range(asked.pairs + 3):
            mixed = seconds(lambda m=method, n=number: m.augment(given, Draws(0, 0, n)))  # type: ignore[misc]
            copies = seconds(lambda: [given["video"].clone() for _ in range(2)])
            if number > 2:
                took["mixed"].append(mixed)
                took["copies"].append(copies)
        pairs = zip(took["mixed"], took["copies"], strict=True)
        ratio, low, high = median_interval([mixed / copies for mixed, copies in pairs])
        limit = SLOW.get(name, LIMIT)
        good &= high <= limit
        print(json.dumps({
            "bench": "mixing", "method": name, "pairs": asked.pairs, "threads": asked.threads,
            "tiny": asked.tiny, "ratio": round(ratio, 3),
            "interval": [round(low, 3), round(high, 3)], "limit": limit,
            "seconds": {key: round(median(values), 5) for key, values in took.items()},
            "good": high <= limit,
        }))  # fmt: skip
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
