"""HSIC of 256 x 512 features, with its gradients, as a share of a step of vificlip.

The step is that of bench_steps: 4 clips x 8 frames, ViT-B/32, float32; both take turns, and HSIC is
the median of 5. Prints a line of JSON: the medians of the shares of processor time, with their
intervals, of the plain estimate and of that given the class. Goal: the upper ends at most 0.05.

    python -m tests.bench.bench_hsic [--pairs 9] [--threads 2] [--tiny]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

from sbtools.losses import conditional_hsic, hsic
from tests.bench.bench_steps import ROOT, Side
from tests.bench.intervals import median_interval
from tests.bench.step_side import TINY, Size

LIMIT, CLIPS, WIDTH, CLASSES, TIMES = 0.05, 256, 512, 10, 5


def seconds(loss: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor) -> float:
    """Processor time of the loss and its gradients, the median of some."""
    took = []
    for _ in range(TIMES):
        began = time.process_time()
        torch.autograd.grad(loss(x, y), [x, y])
        took.append(time.process_time() - began)
    return median(took)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tiny", action="store_true", help="a step of a few pixels")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    drawn = torch.Generator().manual_seed(0)
    x, y = (torch.randn(CLIPS, WIDTH, generator=drawn, requires_grad=True) for _ in range(2))
    classes = torch.arange(CLIPS) % CLASSES
    losses = {"hsic": hsic, "conditional_hsic": lambda a, b: conditional_hsic(a, b, classes)}
    shares: dict[str, list[float]] = {name: [] for name in losses}
    steps = []
    with Side("ours", ROOT, "vificlip", TINY if asked.tiny else Size(), asked.threads) as side:
        for number in range(asked.pairs + 2):
            step = side.step()["cpu"]
            took = {name: seconds(loss, x, y) for name, loss in losses.items()}
            if number > 1:
                steps.append(step)
                for name in losses:
                    shares[name].append(took[name] / step)
    told = {name: [round(value, 5) for value in median_interval(each)]
            for name, each in shares.items()}  # fmt: skip
    good = all(high <= LIMIT for _, _, high in told.values())
    print(json.dumps({"bench": "hsic", "pairs": asked.pairs, "threads": asked.threads,
                      "tiny": asked.tiny, "share": told, "step": round(median(steps), 4),
                      "limit": LIMIT, "good": good}))  # fmt: skip
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
