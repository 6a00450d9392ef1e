"""Whether time and memory grow no faster than the number of clips."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.slow.measured import Taken

STEEPER = 1.3
"""How much more a clip may take between the two largest sizes than between the two smallest.

Sizes double: a cost n log n gives 1.1 at thousands of clips, n ** 1.5 gives 1.41, n ** 2 gives 2;
a cost that is linear but for a quadratic part passes 1.3 where that part is above 37 % of the
largest size. Start-up, the same for all sizes, falls out of the differences."""

NOISE = 0.3
"""Seconds of processor time, and a tenth of the largest, within which sizes may stray."""

MEMORY_NOISE = 16.0
"""MiB within which the peak of one command varies from run to run."""


@dataclass(frozen=True)
class Verdict:
    """What three or more sizes show.

    exponent: of the growth, 1 where it is linear, between the first and the last two differences.
    cpu_ms, bytes: what a further clip takes, between the smallest and the largest size. why: one
    line for each thing that is not linear.
    """

    stage: str
    exponent: float | None
    cpu_ms: float
    bytes: float
    why: tuple[str, ...]

    def line(self) -> dict[str, object]:
        """As it is printed."""
        return {
            "stage": self.stage,
            "verdict": "not linear" if self.why else "linear",
            "exponent": None if self.exponent is None else round(self.exponent, 2),
            "cpu_ms_per_further_clip": round(self.cpu_ms, 4),
            "bytes_per_further_clip": round(self.bytes),
            **({"why": list(self.why)} if self.why else {}),
        }


def judged(stage: str, taken: Sequence[Taken], most_bytes: float) -> Verdict:
    """The verdict on sizes in ascending order, three at least; `most_bytes` a clip may stay."""
    sizes = [one.clips for one in taken]
    ratio, over = _steeper(sizes, [one.cpu for one in taken])
    noise = max(NOISE, 0.1 * taken[-1].cpu)
    why = []
    if ratio > STEEPER and over > noise:
        why.append(
            f"time: a clip takes {ratio:.2f} times as long among the last as among the first "
            f"(bound {STEEPER}), {over:.1f} s more than linear (noise {noise:.1f} s)"
        )
    held = [one.peak for one in taken]
    memory, more = _steeper(sizes, held)
    if memory > STEEPER and more > MEMORY_NOISE:
        why.append(
            f"memory: a clip takes {memory:.2f} times as much among the last as among the first "
            f"(bound {STEEPER}), {more:.0f} MiB more than linear (noise {MEMORY_NOISE:.0f} MiB)"
        )
    count = sizes[-1] - sizes[0]
    a_clip = (held[-1] - held[0]) * 2**20 / count
    if held[-1] - held[0] - most_bytes * count / 2**20 > MEMORY_NOISE:
        why.append(f"memory: {a_clip:.0f} bytes a clip stay (bound {most_bytes:.0f})")
    doubled = math.log((sizes[-1] - sizes[-2]) / (sizes[1] - sizes[0]))
    exponent = 1 + math.log(ratio) / doubled if 0 < ratio < math.inf and doubled else None
    cpu = 1e3 * (taken[-1].cpu - taken[0].cpu) / count
    return Verdict(stage, exponent, cpu, a_clip, tuple(why))


def judged_here(call: Callable[[int], object], sizes: Sequence[int]) -> Verdict:
    """The verdict on the processor time of a call in this process, given one size after another."""
    taken = []
    for size in sizes:
        begun = time.process_time()
        call(size)
        spent = time.process_time() - begun
        taken.append(Taken(size, spent, spent, 0.0))
    return judged(call.__name__, taken, 0.0)


def _steeper(sizes: Sequence[int], values: Sequence[float]) -> tuple[float, float]:
    """Slope between the last two over that between the first two, and how far the last value lies
    above the line through the first two."""
    first = (values[1] - values[0]) / (sizes[1] - sizes[0])
    last = (values[-1] - values[-2]) / (sizes[-1] - sizes[-2])
    line = values[1] + first * (sizes[-1] - sizes[1])
    return (last / first if first > 0 else math.inf), values[-1] - line
