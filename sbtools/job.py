"""How a stage is run, as opposed to what it computes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


def never() -> bool:
    """No: the default of `Job.stop`."""
    return False


def available_cores() -> int:
    """Cores this process may use: Slurm's allotment, else the affinity mask."""
    allotted = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if allotted.isdigit() and int(allotted) > 0:
        return int(allotted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def untold() -> None:
    """Tell nobody: the default of `Job.worked` and `Job.passed`."""


def uncounted(count: int) -> None:
    """Tell nobody: the default of `Job.coming`."""


@dataclass(frozen=True)
class Job:
    """What every stage is told besides its own settings.

    `root` is what relative paths of records resolve against. `workers` 0 works in this process.
    `clip_timeout` is in seconds, None for no limit. `stop` turns true when no new clip may be
    begun; `worked` is called when one has been worked on, `passed` for one that needs no work,
    `coming` with how many there will be, by a stage that knows. `shard` is (index, count), `limit`
    the most clips of it. With `strict` the first failed clip ends the run.
    """

    root: Path = field(default_factory=Path.cwd)
    workers: int = 0
    clip_timeout: float | None = None
    stop: Callable[[], bool] = never
    worked: Callable[[], None] = untold
    passed: Callable[[], None] = untold
    coming: Callable[[int], None] = uncounted
    seed: int = 0
    shard: tuple[int, int] = (0, 1)
    limit: int | None = None
    strict: bool = False
