"""Training steps in bfloat16 against plain torch code around the same network."""

from __future__ import annotations

from collections.abc import Callable

from tests.bench.step_side import TINY, Peak, Size, ours, plain
from tests.gpu.check import Figures, Machine, check, mib, require

LIMIT, PEAK = 1.10, 1.05
PRECISIONS = ("float32", "bfloat16")


def _size(machine: Machine, precision: str) -> Size:
    from dataclasses import replace

    full = Size(clips=32, device=str(machine.device), precision=precision)
    return replace(TINY, precision=precision) if machine.tiny else full


def _check(network: str) -> Callable[[Machine], Figures]:
    def steps(machine: Machine) -> Figures:
        """The same losses, at most a tenth slower, with the same memory."""
        told: Figures = {}
        for precision in PRECISIONS:
            size = _size(machine, precision)
            peaks, sides, losses = [], [], []
            for side in (ours, plain):
                with machine.peak():
                    peak = Peak(size.device)
                    step = side(network, size)
                    losses.append([step() for _ in range(2)])
                    peaks.append(peak.bytes())
                sides.append(step)
            apart = max(abs(a - b) / max(1, abs(a)) for a, b in zip(*losses, strict=True))
            found = {**machine.pairs(sides[0], sides[1]), "losses_apart": apart}
            found |= {"mib": [mib(peak) for peak in peaks]} if machine.on_gpu else {}
            told[precision] = found
            require(apart < (1e-3 if precision == "float32" else 5e-2), f"{precision}: {found}")
            if machine.on_gpu:
                require(found["interval"][1] <= LIMIT, f"{precision} is slower: {found}")
                more = peaks[0] / peaks[1]
                require(more <= PEAK, f"{precision} takes {more:.2f} of the memory: {found}")
        return told

    return steps


for _network in ("vificlip", "swin3d_t", "r3d_18"):
    check(f"steps/{_network}")(_check(_network))
