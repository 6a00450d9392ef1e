"""A signal to every process of a step, as scancel, preemption and `scontrol requeue` send it."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path


def tree(pid: int) -> list[int]:
    """The process and all its descendants, those that were started last first."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = place.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(place.parent.name))
    found, latest = [pid], [pid]
    while latest:
        latest = [child for each in latest for child in sorted(children.get(each, []))]
        found += latest
    return found[::-1]


def strike(pid: int, number: int) -> list[int]:
    """Send it to every process of the tree, from a process that is not among them; their pids."""
    struck = tree(pid)
    subprocess.run(["kill", f"-{int(number)}", *map(str, struck)], stderr=subprocess.DEVNULL)
    return struck
