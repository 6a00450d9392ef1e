"""A job that is held still in the middle of its work, however fast the machine is."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.slurm import processes
from tests.slurm.cluster import Cluster, until


@contextmanager
def paused(cluster: Cluster, job: str, store: Path) -> Iterator[int]:
    """Stops a task of segment once it has committed a clip; gives the process id of its sbtools.

    It goes on at the end of the block, with whatever signal has come to it by then.
    """
    (task,) = cluster.tasks(job).values()
    until("a clip to be done", lambda: list(store.glob(f"{int(task['ArrayTaskId']):03}of*.h5")))
    with held(pythons(task["JobId"])) as sbtools:
        yield sbtools


@contextmanager
def held(pids: list[int]) -> Iterator[int]:
    """Stops processes; gives the first of them, which goes on with the rest at the end."""
    for pid in pids:
        processes.kill(pid, signal.SIGSTOP)
    until("the job to be held", lambda: stopped(pids[0]))
    try:
        yield pids[0]
    finally:
        for pid in pids:
            processes.kill(pid, signal.SIGCONT)


def stopped(pid: int) -> bool:
    """Whether a process is held by a STOP."""
    return b"\nState:\tT" in processes.read(pid, "status")


def pythons(job: str) -> list[int]:
    """The processes of Python in a job, its sbtools first."""
    found = processes.of_environment("SLURM_JOB_ID", job)
    return [pid for pid in sorted(found) if processes.read(pid, "comm").startswith(b"python")]


def await_signal(pid: int, number: int, patience: float = 300) -> None:
    """Wait until a stopped process has a signal pending, or goes on: some come after a CONT."""

    def pending() -> bool:
        told = processes.read(pid, "status").decode()
        waiting = int((re.findall(r"^ShdPnd:\s*(\w+)", told, re.M) or ["0"])[0], 16)
        return bool(waiting >> (number - 1) & 1) or not stopped(pid)

    until(f"signal {number} to reach process {pid}", pending, patience)
