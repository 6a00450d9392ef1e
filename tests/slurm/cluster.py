"""A real Slurm of two nodes on the loopback, with everything that it writes in one folder."""

from __future__ import annotations

import getpass
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from tests.slurm import processes
from tests.slurm.machine import free_ports, search_path

T = TypeVar("T")

NODES = ("n1", "n2")
LIVING = ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "REQUEUED")
"""States of jobs that have not ended."""
PATIENCE = 300.0
"""Seconds: the longest wait for anything that needs a start of Python on a busy machine."""

# The nodes claim more than the machine has, so that the scripts get what they ask for. Their names
# do not resolve, as on some clusters.
CONF = """\
ClusterName=sbtools
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
SlurmdParameters=config_overrides
SelectType=select/cons_tres
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
GresTypes=gpu
ReturnToService=2
SlurmdTimeout=20
KillWait=60
MinJobAge=86400
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=DEFAULT CPUs=64 RealMemory=400000 Gres=gpu:2
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]}
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]}
PartitionName=low Nodes=ALL Default=YES PriorityTier=1 LLN=YES
PartitionName=high Nodes=ALL PriorityTier=10 PreemptMode=OFF
"""
LOOSE = "SelectTypeParameters=CR_CPU\nProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\n"
LIMITED = (
    "SelectTypeParameters=CR_CPU_Memory\nProctrackType=proctrack/cgroup\nTaskPlugin=task/cgroup\n"
)
GRES = "Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n"
CGROUP = "CgroupAutomount=yes\nConstrainRAMSpace=yes\nConstrainSwapSpace=yes\nAllowedSwapSpace=0\n"


def until(what: str, look: Callable[[], T], patience: float = PATIENCE) -> T:
    """What `look` gives once it is true; AssertionError after `patience` seconds."""
    end = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < end, f"waited {patience:.0f} s for {what}"
        time.sleep(0.1)
    return found


class Cluster:
    """slurmctld and two slurmd; jobs get `env`. `limited` holds jobs to the memory they ask for.

    `apart`, each node has its name as its host name too, so that none sees the processes of another
    as its own: that needs rights of root.
    """

    def __init__(
        self, folder: Path, env: Mapping[str, str], *, limited: bool = False, apart: bool = False
    ) -> None:
        self.folder = folder
        self.apart = apart
        self.conf = folder / "slurm.conf"
        self.env = {**env, "SLURM_CONF": str(self.conf)}
        (folder / "state").mkdir(parents=True)
        host = socket.gethostname().split(".")[0]
        text = CONF.format(host=host, folder=folder, user=getpass.getuser(), ports=free_ports(3))
        self.conf.write_text(text + (LIMITED if limited else LOOSE))
        (folder / "gres.conf").write_text(GRES)
        (folder / "cgroup.conf").write_text(CGROUP if limited else "")

    def start(self) -> None:
        """Start the daemons, and wait until both nodes take jobs."""
        self.run("slurmctld")
        for node in NODES:
            self.start_node(node)
        until("both nodes to be idle", lambda: self.nodes() == dict.fromkeys(NODES, "idle"), 60)

    def start_node(self, node: str) -> None:
        """Start the slurmd of a node."""
        words = ["slurmd", "-N", node]
        if self.apart:
            words = ["unshare", "--uts", "sh", "-c", f'hostname {node} && exec "$@"', "sh", *words]
        self.run(*words)

    def stop(self) -> None:
        """End every process of this cluster, also after a failure: nothing of it is left."""
        with suppress(AssertionError, subprocess.SubprocessError):
            self.run("scancel", "--user", getpass.getuser(), check=False)
            until("jobs to end", lambda: not self.run("squeue", "-h").stdout, 20)
        with suppress(AssertionError):
            self._end(signal.SIGTERM, 20)
        self._end(signal.SIGKILL, 20)

    def _end(self, number: int, patience: float) -> None:
        for pid in self.processes():
            processes.kill(pid, number)
        until("the daemons to end", lambda: not self.processes(), patience)

    def processes(self) -> list[int]:
        """Daemons, steps and jobs of this cluster that live."""
        return processes.of_environment("SLURM_CONF", str(self.conf))

    def daemon(self, name: str) -> int:
        """The process id of slurmctld, or of the slurmd of a node."""
        return int((self.folder / f"{name}.pid").read_text())

    def steps(self, number: str) -> list[int]:
        """The processes that Slurm runs the steps of a job in."""
        name = f"slurmstepd: [{number}.".encode()
        return [pid for pid in self.processes() if name in processes.read(pid, "cmdline")]

    def run(
        self, *words: str | Path, check: bool = True, **options: object
    ) -> subprocess.CompletedProcess[str]:
        """One of Slurm's commands; AssertionError with what it says when it fails."""
        program = shutil.which(str(words[0]), path=search_path())
        assert program is not None, words[0]
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [program, *map(str, words[1:])],
            **{"env": self.env, "stdin": subprocess.DEVNULL, "timeout": 60, **options},  # type: ignore[call-overload]
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0 or not check, f"{words}: {done.stderr}"
        return done

    def nodes(self) -> dict[str, str]:
        """Each node's state, as sinfo names it."""
        told = self.run("sinfo", "-h", "-N", "-p", "low", "-o", "%N %T", check=False).stdout
        return dict(line.split() for line in told.splitlines())

    def submit(
        self,
        script: Path,
        *arguments: str | Path,
        options: Sequence[str] = (),
        cwd: Path,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """sbatch OPTIONS SCRIPT ARGUMENTS in `cwd`; the number of the job."""
        words = ["sbatch", "--parsable", *options, script, *arguments]
        return self.run(*words, cwd=cwd, env={**self.env, **(env or {})}).stdout.strip()

    def tasks(self, job: str) -> dict[str, dict[str, str]]:
        """What Slurm knows of a job, or of each task of an array that it has told apart."""
        told = self.run("scontrol", "show", "job", "--oneliner", job).stdout
        return {task.get("ArrayTaskId", ""): task for task in parse(told)}

    def jobs(self, *job: str) -> list[dict[str, str]]:
        """As `tasks`, of all jobs, or of one; nothing when Slurm does not know it."""
        return parse(self.run("scontrol", "show", "job", "--oneliner", *job, check=False).stdout)

    def state(self, job: str) -> str:
        """The state of a job, or of one task of an array: PENDING, RUNNING, COMPLETED ..."""
        (task,) = self.tasks(job).values()
        return task["JobState"]

    def wait_for(self, job: str, *states: str, patience: float = PATIENCE) -> None:
        """Wait until a job, or one task of an array, is in one of `states`."""
        until(f"job {job} to be {states}", lambda: self.state(job) in states, patience)

    def restarts(self, job: str) -> int:
        """How many times a job was put back into the queue."""
        (task,) = self.tasks(job).values()
        return int(task["Restarts"])

    def hurry(self, job: str) -> None:
        """A job that waits in the queue may start at once: after a requeue it waits two minutes."""
        self.wait_for(job, "PENDING")
        time.sleep(
            2
        )  # slurmd refuses a job in the second in which it has ended it ("already killed")
        self.run("scontrol", "update", f"JobId={job}", "StartTime=now")

    def ended(self, job: str, patience: float = PATIENCE) -> dict[str, int]:
        """The exit status of each task, by its number, once all have ended; a job's own is ''."""

        def look() -> dict[str, dict[str, str]]:
            tasks = self.tasks(job)
            ended = all(task["JobState"] not in LIVING for task in tasks.values())
            return tasks if ended else {}

        return {
            number: int(task["ExitCode"].split(":")[0])
            for number, task in until(f"job {job} to end", look, patience).items()
        }


def parse(told: str) -> list[dict[str, str]]:
    """The fields of each line of `scontrol show job --oneliner`."""
    lines = [line for line in told.splitlines() if line.startswith("JobId=")]
    words = [[word.partition("=") for word in line.split()] for line in lines]
    return [{name: value for name, _, value in each} for each in words]
