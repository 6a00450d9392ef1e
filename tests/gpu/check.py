"""What a check on the machine with a GPU is: a function that gives figures, or raises."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

Figures = dict[str, Any]
Check = Callable[["Machine"], Figures]
CHECKS: dict[str, Check] = {}
"""By "group/name", in the order in which they are run; a module's, once it is imported."""


class Skipped(Exception):
    """The check has nothing to look at here; the text says why."""


@dataclass(frozen=True)
class Machine:
    """Where checks run: on the first GPU or, `tiny`, small ones on the CPU. folder: for files."""

    tiny: bool
    folder: Path

    @cached_property
    def device(self) -> Any:
        """The torch device."""
        import torch

        return torch.device("cpu" if self.tiny else "cuda:0")

    @property
    def on_gpu(self) -> bool:
        """Whether figures of time and memory are of a GPU."""
        return not self.tiny

    def settle(self) -> None:
        """Wait for what the device has been given to do."""
        if self.on_gpu:
            import torch

            torch.cuda.synchronize()

    def timed(self, run: Callable[[], Any]) -> float:
        """Seconds of a call, to the end of what it started."""
        self.settle()
        begun = time.perf_counter()
        run()
        self.settle()
        return time.perf_counter() - begun

    def pairs(self, one: Callable[[], Any], other: Callable[[], Any], count: int = 9) -> Figures:
        """Seconds of both in turn, after one of each that does not count: the median ratio, one by
        other, with its interval, and the medians."""
        from tests.bench.intervals import median_interval

        count = 1 if self.tiny else count
        took: dict[int, list[float]] = {0: [], 1: []}
        for number in range(count + 1):
            for which in (0, 1) if number % 2 else (1, 0):
                seconds = self.timed((one, other)[which])
                if number:
                    took[which].append(seconds)
        ratios = [a / b for a, b in zip(took[0], took[1], strict=True)]
        ratio, low, high = median_interval(ratios)
        return {
            "ratio": round(ratio, 4), "interval": [round(low, 4), round(high, 4)],
            "pairs": count, "ms": [round(1e3 * median(took[k]), 3) for k in (0, 1)],
        }  # fmt: skip

    @contextlib.contextmanager
    def peak(self) -> Iterator[list[int]]:
        """Holds, when the block is left, the most bytes of tensors within it; on the CPU 0."""
        import torch

        found = [0]
        if self.on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        yield found
        if self.on_gpu:
            found[0] = torch.cuda.max_memory_allocated()


def check(name: str) -> Callable[[Check], Check]:
    """Adds a function to CHECKS."""

    def add(function: Check) -> Check:
        CHECKS[name] = function
        return function

    return add


def require(good: object, text: str) -> None:
    """AssertionError with the text unless `good`."""
    if not good:
        raise AssertionError(text)


def require_close(found: float, wanted: float, limit: float, what: str) -> None:
    """AssertionError unless two numbers are within `limit`, absolute."""
    require(abs(found - wanted) <= limit, f"{what}: {found:.6g}, not {wanted:.6g} to {limit:g}")


def mib(size: float) -> int:
    """Whole MiB."""
    return round(size / 2**20)


def command(*words: object, folder: Path, timeout: float = 150) -> tuple[int, bytes, str]:
    """Exit status, stdout and stderr of `sbtools WORDS`, run in a folder."""
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "sbtools", *map(str, words)], cwd=folder, timeout=timeout,
        stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def succeeded(done: tuple[int, bytes, str], what: Sequence[object] | str) -> bytes:
    """The stdout of a command; AssertionError with the end of its stderr where it failed."""
    require(done[0] == 0, f"{what}: exit status {done[0]}: {done[2][-600:]}")
    return done[1]
