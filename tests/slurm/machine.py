"""What this machine has for a cluster: Slurm's programs, ports, host names, this checkout."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.cli.running import environment

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPTS = CHECKOUT / "examples" / "slurm"
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "srun", "scontrol", "scancel")


def missing() -> str | None:
    """The first program of Slurm that is not installed here, None when all are."""
    return next((name for name in PROGRAMS if shutil.which(name, path=search_path()) is None), None)


def search_path() -> str:
    """PATH with the folders where Debian keeps daemons."""
    return os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens at now."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def job_environment(folder: Path) -> dict[str, str]:
    """What jobs find: this checkout's programs on PATH, by links in a new folder; one core each."""
    folder.mkdir(exist_ok=True)
    for name in ("sbtools", "sbtools-array"):
        (folder / name).symlink_to(CHECKOUT / "bin" / name)
    path = os.pathsep.join([str(folder), search_path()])
    return environment({"PATH": path, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"})


def can_part() -> bool:
    """Whether nodes can have host names of their own here."""
    tried = ["unshare", "--uts", "hostname", "n1"]
    with suppress(OSError):
        return not subprocess.run(tried, capture_output=True, check=False).returncode
    return False
