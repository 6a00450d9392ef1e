"""What befalls jobs and daemons of a cluster, at random."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping

import numpy as np

from tests.slurm import processes
from tests.slurm.cluster import Cluster, until
from tests.slurm.paused import pythons

Task = Mapping[str, str]
"""What scontrol says of a job, or of one task of an array."""


def name_of(task: Task) -> str:
    """As Slurm's commands take it: 71_3 for a task, 71 for a job."""
    number = task.get("ArrayTaskId", "")
    return f"{task['ArrayJobId']}_{number}" if number.isdigit() else task["JobId"]


class Blows:
    """Strikes `count` times; each kind comes before one comes again. Each is told to `say`."""

    def __init__(
        self, cluster: Cluster, rng: np.random.Generator, count: int, say: Callable[[str], None]
    ) -> None:
        self.cluster, self._rng, self._say = cluster, rng, say
        self._due = [0.0] * count
        self._kinds = [name for _ in range(count) for name in rng.permutation(list(KINDS))]
        self.struck: list[str] = []

    def spread(self, work: float) -> None:
        """Let them fall at random places of a work that is so much."""
        self._due = sorted(self._rng.uniform(0, 0.95 * work, len(self._due)).tolist())

    @property
    def left(self) -> int:
        """Blows that did not come yet."""
        return len(self._due)

    def maybe(self, done: float, running: list[Task]) -> None:
        """Strike once, if that is due when so much of the work is done, and something runs.

        A blow that meets nothing, since the task has just ended, comes again.
        """
        if not self._due or done < self._due[0] or not running:
            return
        task = running[int(self._rng.integers(len(running)))]
        time.sleep(float(self._rng.uniform(0, 2)))
        kind = self._kinds[len(self.struck)]
        if not KINDS[kind](self, task):
            return
        self._say(f"blow {len(self.struck) + 1}: {kind}, {name_of(task)} on {task['NodeList']}")
        self._due.pop(0)
        self.struck.append(kind)

    def _scancel(self, task: Task) -> bool:
        return self._runs(task) and self._order("scancel", name_of(task))

    def _requeue(self, task: Task) -> bool:
        return self._runs(task) and self._order("scontrol", "requeue", name_of(task))

    def _kill_sbtools(self, task: Task) -> bool:
        return _kill(*pythons(task["JobId"]))

    def _kill_task(self, task: Task) -> bool:
        return _kill(*processes.of_environment("SLURM_JOB_ID", task["JobId"]))

    def _kill_slurmd(self, task: Task) -> bool:
        return self._runs(task) and self._restart(task["NodeList"])

    def _kill_node(self, task: Task) -> bool:
        """With all that runs on it."""
        if not self._runs(task):
            return False
        _kill(self.cluster.daemon(task["NodeList"]))
        for each in self.cluster.jobs():
            if each["JobState"] == "RUNNING" and each["NodeList"] == task["NodeList"]:
                _kill(*self.cluster.steps(each["JobId"]))
                _kill(*processes.of_environment("SLURM_JOB_ID", each["JobId"]))
        return self._restart(task["NodeList"])

    def _restart(self, node: str) -> bool:
        _kill(self.cluster.daemon(node))
        self._pause()
        self.cluster.start_node(node)
        return True

    def _kill_slurmctld(self, task: Task) -> bool:
        _kill(self.cluster.daemon("slurmctld"))
        self._pause()
        self.cluster.run("slurmctld")
        until("slurmctld to answer", self.cluster.nodes)
        return True

    def _runs(self, task: Task) -> bool:
        return any(each["JobId"] == task["JobId"] and each["JobState"] == "RUNNING"
                   for each in self.cluster.jobs())  # fmt: skip

    def _order(self, *words: str) -> bool:
        return self.cluster.run(*words, check=False).returncode == 0

    def _pause(self) -> None:
        time.sleep(float(self._rng.uniform(0, 4)))


def _kill(*pids: int) -> bool:
    """Kill them and wait until they are gone; whether there were any."""
    for pid in pids:
        processes.kill(pid, signal.SIGKILL)
    until("the killed to be gone", lambda: not any(processes.read(pid, "cmdline") for pid in pids))
    return bool(pids)


KINDS: dict[str, Callable[[Blows, Task], bool]] = {
    "scancel": Blows._scancel,
    "requeue": Blows._requeue,
    "kill -9 of sbtools": Blows._kill_sbtools,
    "kill -9 of the task": Blows._kill_task,
    "kill -9 of slurmd": Blows._kill_slurmd,
    "kill -9 of slurmd and its tasks": Blows._kill_node,
    "kill -9 of slurmctld": Blows._kill_slurmctld,
}
