"""What a command takes: wall time, processor time, and the memory of it and all its processes."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.cli.running import environment
from tests.train.strike import tree

EVERY = 0.2
"""Seconds between two looks at the memory."""


@dataclass(frozen=True)
class Taken:
    """What one run of a command took, for `clips` clips.

    wall, cpu: seconds; cpu is that of all its processes, user and system. peak: MiB, the sum over
    the processes that ran at one time of the most that each has held; pages that processes share
    count once for each, so it is an upper bound.
    """

    clips: int
    wall: float
    cpu: float
    peak: float

    def line(self, stage: str) -> dict[str, object]:
        """In total and per clip."""
        per = {
            "wall_ms_per_clip": 1e3 * self.wall / self.clips,
            "cpu_ms_per_clip": 1e3 * self.cpu / self.clips,
            "peak_kib_per_clip": 1024 * self.peak / self.clips,
        }
        rounded = {name: round(value, 3) for name, value in {**asdict(self), **per}.items()}
        return {"stage": stage, **rounded}


def measured(
    words: Sequence[str], clips: int, cwd: Path, out: Path, extra: dict[str, str] | None = None
) -> Taken:
    """Run a command to its end, its stdout into `out`; RuntimeError unless it ends with 0."""
    begun, own = time.perf_counter(), _most(os.getpid())
    with open(out, "wb") as stdout, open(f"{out}.err", "wb") as stderr:
        process = subprocess.Popen(
            words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
            env=environment(extra),
        )  # fmt: skip
        watch = _Watch(process.pid)
        _, status, used = os.wait4(process.pid, 0)
        watch.end()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        said = Path(f"{out}.err").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{' '.join(words)} ended with {process.returncode}: {said}")
    # Linux counts what this process held, at the fork, as a peak of the command.
    last = used.ru_maxrss if used.ru_maxrss > own else 0
    peak = max(watch.peak, last) / 1024
    return Taken(clips, time.perf_counter() - begun, used.ru_utime + used.ru_stime, peak)


class _Watch:
    """Looks at the memory of a process and its descendants, in KiB, until `end`."""

    def __init__(self, pid: int) -> None:
        self.pid, self.peak = pid, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(EVERY):
            self.peak = max(self.peak, sum(map(_most, tree(self.pid))))

    def end(self) -> None:
        self._over.set()
        self._thread.join()


def _most(pid: int) -> int:
    """KiB that the process has held at most; 0 when it is gone."""
    with suppress(OSError, StopIteration, ValueError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
    return 0
