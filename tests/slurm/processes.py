"""Processes, found by a variable of their environment, as Slurm's daemons and jobs have ours."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def of_environment(name: str, value: str) -> list[int]:
    """The processes that live with NAME=VALUE in their environment, apart from this one."""
    wanted = f"{name}={value}".encode()
    return [pid for pid in _all() if wanted in read(pid, "environ").split(b"\0")]


def kill(pid: int, number: int) -> None:
    """Send a signal; a process that is gone has had it."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def read(pid: int, what: str) -> bytes:
    """A file of /proc/PID, empty when the process is gone or has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/{what}").read_bytes()
    return b""


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]
