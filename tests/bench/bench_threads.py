"""What threads are worth: seconds of a training step with one thread by those with all cores.

For models of very different work: the seconds of a step with 1 thread and with all, in pairs that
take turns in one process; their ratio, above 1 where threads help, stands beside the work of a
batch's forward pass and what `sbtools.threads` would choose. With `--workers N`, so many other
processes compute meanwhile, as workers that decode do. On a machine that others use too, the ratio
says nothing of the work; with OMP_WAIT_POLICY=passive the processor times of both say what threads
cost in waking each other. Prints a line of JSON for each; `good` is false where the choice costs
more than a tenth of what the better one takes. The rule is made for training beside workers: on
free cores threads help a small model too, and where workers have the cores they harm it.

    python -m tests.bench.bench_threads [--pairs 9] [--only NAME,...] [--workers 0]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.bench.intervals import median_interval

CASES: dict[str, tuple[str, dict[str, Any], int]] = {
    "frame_cnn": ("linear", {"backbone": "frame_cnn"}, 32),
    "conv3d": ("linear", {"backbone": "conv3d"}, 32),
    "vificlip tiny": ("vificlip", {"arch": "tiny"}, 32),
    "conv3d at 64": ("linear", {"backbone": "conv3d", "size": 64}, 16),
    "r3d_18 at 32": ("linear", {"backbone": "r3d_18", "size": 32}, 8),
    "resnet18 at 64": ("linear", {"backbone": "resnet18", "size": 64}, 8),
    "ViT-B/32": ("vificlip", {"arch": "ViT-B-32"}, 1),
}
SLACK = 1.10


def stepping(name: str) -> tuple[Callable[[], float], float]:
    """A step, which returns its seconds, and the work of its forward pass."""
    import torch

    from sbtools import models
    from sbtools.models.flops import clip_flops
    from tests.bench.step_side import Size, _updates, batch

    kind, options, clips = CASES[name]
    size = Size(clips=clips)
    model = models.build(kind, size.names, frames=8, **options)
    work = clips * clip_flops(model)
    objective = "infonce" if kind == "vificlip" else "class_ce"
    updates = _updates(model, kind, objective, size)
    shown = batch(model.frames, model.recipe.size, size)
    torch.manual_seed(0)

    def step() -> float:
        from sbtools.rng import Draws

        begun = time.perf_counter()
        updates(dict(shown), Draws(0), [clips])
        return time.perf_counter() - begun

    return step, work


def measured(name: str, pairs: int, cores: int) -> dict[str, Any]:
    """The line of a case; steps too short to be timed are repeated."""
    import torch

    from sbtools import threads

    step, work = stepping(name)
    torch.set_num_threads(1)
    step()
    repeat = max(1, int(0.3 / step()))
    ratios, seconds, spent = [], {1: 0.0, cores: 0.0}, {1: 0.0, cores: 0.0}
    for number in range(pairs):
        took = {}
        for count in (1, cores) if number % 2 else (cores, 1):
            torch.set_num_threads(count)
            step()
            begun = time.process_time()
            took[count] = sum(step() for _ in range(repeat)) / repeat
            spent[count] += (time.process_time() - begun) / repeat / pairs
            seconds[count] += took[count] / pairs
        ratios.append(took[1] / took[cores])
    ratio, low, high = median_interval(ratios)
    chosen = threads.worth(work, cores)
    loss = ratio if chosen == 1 else 1 / ratio if chosen == cores else 1.0
    return {
        "bench": "threads", "case": name, "clips": CASES[name][2], "gflop": round(work / 1e9, 3),
        "one_by_all": round(ratio, 3), "interval": [round(low, 3), round(high, 3)], "all": cores,
        "seconds": {str(count): round(value, 4) for count, value in seconds.items()},
        "cpu": {str(count): round(value, 4) for count, value in spent.items()},
        "chosen": chosen, "good": loss <= SLACK,
    }  # fmt: skip


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that compute all the while."""
    started = [multiprocessing.Process(target=_spin, daemon=True) for _ in range(count)]
    for process in started:
        process.start()
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.join()


def _spin() -> None:
    while True:
        sum(range(10000))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--only", default=",".join(CASES))
    parser.add_argument("--workers", type=int, default=0)
    asked = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    good = True
    with busy(asked.workers):
        for name in asked.only.split(","):
            told = measured(name, asked.pairs, cores)
            print(json.dumps({**told, "workers": asked.workers}), flush=True)
            good &= told["good"]
    return 0 if good else 1


if __name__ == "__main__":
    os.environ.pop("OMP_NUM_THREADS", None)
    sys.exit(main())
