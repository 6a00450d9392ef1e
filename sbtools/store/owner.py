"""Who writes: this process as a lock file names it, and whether the one it names still runs."""

from __future__ import annotations

import os
import secrets
import socket
import time
from typing import Any

from sbtools.slurm import Jobs


def alive(owner: dict[str, Any], me: dict[str, Any]) -> bool | None:
    """Whether the owner still runs; None when it cannot be told from here."""
    pid = owner.get("pid")
    if not owner.get("host") or not isinstance(pid, int) or pid <= 0:
        return None
    if any(owner.get(name, me[name]) != me[name] for name in ("host", "machine")):
        return None
    if owner.get("boot", me["boot"]) != me["boot"]:
        return False
    if owner.get("space", me["space"]) != me["space"]:
        return None
    started = _start_of(pid)
    if started is not None and owner.get("start") is not None:
        return bool(started == owner["start"])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def gone(owner: dict[str, Any], me: dict[str, Any], jobs: Jobs) -> bool | None:
    """Whether the owner has ended; where it cannot be seen from here, Slurm is asked for its job.

    None where neither tells.
    """
    runs = alive(owner, me)
    return jobs.ended(owner) if runs is None else not runs


def requeued(owner: dict[str, Any], me: dict[str, Any]) -> bool:
    """Whether the owner is this very Slurm task before it was requeued."""
    same = me["job"] is not None and all(owner.get(name) == me[name] for name in ("job", "task"))
    restart = owner.get("restart")
    return bool(same and isinstance(restart, int) and restart < me["restart"])


def slurm_task() -> dict[str, Any]:
    """The Slurm job and array task this process belongs to, and how often it was requeued."""
    names = os.environ
    restart = names.get("SLURM_RESTART_COUNT", "0")
    return {
        "job": names.get("SLURM_ARRAY_JOB_ID") or names.get("SLURM_JOB_ID"),
        "task": names.get("SLURM_ARRAY_TASK_ID"),
        "restart": int(restart) if restart.isdigit() else 0,
    }


def myself() -> dict[str, Any]:
    """This process, in words that no other process shares."""
    return {
        "host": socket.gethostname(),
        "machine": _line_of("/etc/machine-id"),
        "boot": _line_of("/proc/sys/kernel/random/boot_id"),
        "space": _pid_space(),
        "pid": os.getpid(),
        "start": _start_of(os.getpid()),
        **slurm_task(),
        "cluster": os.environ.get("SLURM_CLUSTER_NAME"),
        "user": os.getuid(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "nonce": secrets.token_hex(8),
    }


def _line_of(path: str) -> str | None:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.readline(256).strip()
    except OSError:
        return None


def _pid_space() -> str | None:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return None


def _start_of(pid: int) -> int | None:
    """Clock ticks from the machine's start to the process's; None where /proc does not say.

    -1 for a process that has ended and waits for its parent.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return -1 if fields[0] in (b"Z", b"X") else int(fields[19])
    except (OSError, ValueError, IndexError):
        return None
