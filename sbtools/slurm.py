"""What Slurm's scontrol tells: of nodes, and whether a job has ended."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from typing import Any

SECONDS = 20.0
"""Within which scontrol answers."""

ENDED = frozenset(
    {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
     "PREEMPTED", "TIMEOUT"}
)  # fmt: skip
"""States of a job without processes; one that is COMPLETING may still have some."""

_UNKNOWN = "Invalid job id"


def said(*words: str) -> str:
    """What scontrol prints; nothing where it cannot be run, or fails."""
    return _asked(*words)[0]


class Jobs:
    """Jobs of this cluster and user; each is asked for once."""

    def __init__(self) -> None:
        self._told: dict[str, list[dict[str, str]] | None] = {}
        self._cluster: str | None = None

    def ended(self, owner: Mapping[str, Any]) -> bool | None:
        """Whether the job that wrote `owner` has ended, or was begun anew since.

        owner: cluster, user, job, task and restart, as in a lock (sbtools-store(5)). None where
        Slurm does not tell, or may hide it: job of another cluster or user.
        """
        job, task = owner.get("job"), owner.get("task")
        if not isinstance(job, str) or not all(map(_is_number, (job, task or "0"))):
            return None
        if owner.get("user") != os.getuid() or not self._is_ours(owner.get("cluster")):
            return None
        if job not in self._told:
            self._told[job] = _records(job)
        told = self._told[job]
        if told is None:
            return None
        mine = [each for each in told if task in (None, each.get("ArrayTaskId"))]
        return all(_is_over(each, owner.get("restart")) for each in mine)

    def _is_ours(self, cluster: Any) -> bool:
        if not cluster:
            return False
        if self._cluster is None:
            self._cluster = os.environ.get("SLURM_CLUSTER_NAME") or _cluster()
        return bool(cluster == self._cluster)


def _is_over(told: Mapping[str, str], restart: Any) -> bool:
    state = told.get("JobState", "")
    if state in ENDED:
        return True
    again = state in ("PENDING", "CONFIGURING", "RUNNING") and isinstance(restart, int)
    return again and told.get("Restarts", "").isdigit() and int(told["Restarts"]) > restart


def _records(job: str) -> list[dict[str, str]] | None:
    """The fields of a job, or of each of its tasks; none when Slurm has forgotten it."""
    out, err = _asked("show", "job", "--oneliner", job)
    if not out:
        return [] if _UNKNOWN in err else None
    return list(map(_fields, out.splitlines()))


def _fields(line: str) -> dict[str, str]:
    pairs = (word.partition("=") for word in line.split())
    return {name: value for name, _, value in pairs}


def _cluster() -> str:
    found = re.search(r"^ClusterName\s*=\s*(\S+)$", said("show", "config"), re.M)
    return found[1] if found else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}", value) is not None


def _asked(*words: str) -> tuple[str, str]:
    """What scontrol prints when it succeeds, or what it says when it fails."""
    try:
        done = subprocess.run(
            ["scontrol", *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS,
            text=True, errors="replace", check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return "", ""
    return (done.stdout, "") if done.returncode == 0 else ("", done.stderr)
