"""What an epoch's line says, summed over steps and ranks."""

from __future__ import annotations

import resource
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch


class EpochMetrics:
    """Sums of the part of an epoch that one rank has done; those of the ranks add up."""

    def __init__(self, told: Mapping[str, Any] | None = None) -> None:
        """Empty, or what `describe` gave."""
        told = told or {}
        self.clips: int = told.get("clips", 0)
        self.failed: int = told.get("failed", 0)
        self.seconds: float = told.get("seconds", 0.0)
        self.waited: float = told.get("waited", 0.0)
        self.losses: Counter[str] = Counter(told.get("losses", {}))
        self.drawn: Counter[str] = Counter(told.get("drawn", {}))

    def add(self, clips: int, share: float, losses: Mapping[str, float]) -> None:
        """A step of `clips` here, whose losses count for `share` clips: all ranks' / ranks."""
        self.clips += clips
        for name, value in losses.items():
            self.losses[name] += share * value  # type: ignore[assignment]

    def describe(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**vars(self), "losses": dict(self.losses), "drawn": dict(self.drawn)}

    def line(self) -> dict[str, Any]:
        """The part of the epoch's line that it knows; losses are means over the clips."""
        clips, seconds = max(self.clips, 1), max(self.seconds, 1e-9)
        told: dict[str, Any] = {
            "losses": {name: value / clips for name, value in self.losses.items()},
            "clips": self.clips,
            "failed": self.failed,
            "seconds": round(self.seconds, 3),
            "clips_per_second": round(self.clips / seconds, 3),
            "waiting": round(self.waited / seconds, 4),
        }
        return told | ({"drawn": shares(self.drawn)} if any(self.drawn.values()) else {})


def shares(counts: Mapping[str, int]) -> dict[str, float]:
    """What was counted, as shares of all that the same method counted: of METHOD.NAME's METHOD."""
    totals: Counter[str] = Counter()
    for name, count in counts.items():
        totals[name.rpartition(".")[0]] += count
    return {name: count / max(1, totals[name.rpartition(".")[0]]) for name, count in counts.items()}


def together(tallies: Sequence[Mapping[str, Any]]) -> EpochMetrics:
    """The descriptions of all ranks as one; times are the longest, what is counted adds up."""
    total = EpochMetrics()
    for told in tallies:
        each = EpochMetrics(told)
        total.clips += each.clips
        total.failed += each.failed
        total.losses.update(each.losses)
        total.drawn.update(each.drawn)
        total.seconds = max(total.seconds, each.seconds)
        total.waited = max(total.waited, each.waited)
    return total


def peak_memory(device: torch.device) -> int:
    """Bytes: the most that tensors took on the GPU, or this process took on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
