"""How many threads torch computes with on the CPU."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

log = logging.getLogger("sbtools")

FLOPS_A_THREAD = 2e9
"""Floating-point operations of a batch's forward pass that are worth a thread. With fewer, the
workers that decode have the cores meanwhile, and threads wait for one another longer than they
compute; on free cores they would help a little sooner (tests/bench/bench_threads.py)."""

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def asked(option: int | None) -> int | None:
    """What `settle` takes for --threads: its number; without it 0, or None where the environment
    says how many."""
    if option is not None:
        return option
    return None if any(os.environ.get(name) for name in VARIABLES) else 0


def worth(flops: float, cores: int) -> int:
    """1 to `cores` threads for so many floating-point operations."""
    return max(1, min(int(flops / FLOPS_A_THREAD), cores))


def settle(
    threads: int | None, cores: int, flops: Callable[[], float], on_cpu: bool = True
) -> None:
    """Let torch compute with `threads`: None leaves it as it is, 0 is what a batch is worth, up to
    `cores`.

    flops: counts the operations of a batch's forward pass; 0 where nobody knows, which changes
    nothing. It is asked for 0 threads `on_cpu` alone. The same model, batch and cores always give
    the same number: nothing is timed.
    """
    import torch

    if threads:
        torch.set_num_threads(threads)
    elif threads == 0 and on_cpu:
        work = flops()
        if not work:
            return
        count = worth(work, cores)
        torch.set_num_threads(count)
        log.info("computing with %d of %d cores: a batch is %.3g GFLOP (--threads sets how many)",
                 count, cores, work / 1e9)  # fmt: skip
