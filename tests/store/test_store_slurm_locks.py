"""Locks of tasks on other nodes: Slurm knows whether they have ended."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from stored import hidden, make
from test_store_lock import IDS, lock, opened

from sbtools.errors import LockedError
from sbtools.store.lock import held_shards

ELSEWHERE = {"host": "n2", "job": "42", "task": "3", "restart": 0, "cluster": "big"}
TASK = "JobId=49 ArrayJobId=42 ArrayTaskId=3 JobName=a JobState={} Reason=None Restarts={}"
OTHER = "JobId=42 ArrayJobId=42 ArrayTaskId=4-9 JobState={} Restarts=0"


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, told: str, code: int = 0) -> Path:
    """PATH with an scontrol of cluster "big" that tells this of job 42; the list of its calls."""
    place = folder / "bin" / "scontrol"
    place.parent.mkdir()
    place.write_text(
        f"""#!/bin/sh
echo "$@" >> {folder}/asked
case "$*" in
"show config") echo "CheckpointType = none"; echo "ClusterName             = big";;
"show job --oneliner 42") printf '{told}' >&$((1 + {code})); exit {code};;
*) exit 1;;
esac
"""
    )
    place.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("SLURM_CLUSTER_NAME", raising=False)
    return folder / "asked"


def lines_of(*lines: str) -> str:
    return "".join(line + r"\n" for line in lines)


ENDED = [
    (lines_of(TASK.format("CANCELLED", 0)), 0),
    (lines_of(OTHER.format("PENDING"), TASK.format("NODE_FAIL", 0)), 0),
    (lines_of(TASK.format("RUNNING", 1)), 0),
    (lines_of(TASK.format("PENDING", 1)), 0),
    (lines_of(OTHER.format("RUNNING")), 0),
    ("slurm_load_jobs error: Invalid job id specified", 1),
]
NOT_ENDED = [
    lines_of(TASK.format("RUNNING", 0)),
    lines_of(TASK.format("COMPLETING", 1)),
    lines_of(OTHER.format("CANCELLED"), TASK.format("SUSPENDED", 0)),
]


@pytest.mark.parametrize(("told", "code"), ENDED)
def test_the_lock_of_a_slurm_job_that_has_ended_elsewhere_is_taken(
    told: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled, its node gone, put back since, or so long ago that Slurm has forgotten it."""
    install(tmp_path, monkeypatch, told, code)
    folder = tmp_path / "masks"
    folder.mkdir()
    lock(folder, (3, 10), **ELSEWHERE)
    assert held_shards(str(folder)) == set()
    make(folder, IDS, shard=(3, 10))
    assert hidden(folder) == []


@pytest.mark.parametrize("told", NOT_ENDED)
def test_the_lock_of_a_slurm_job_that_has_not_ended_stays(
    told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, told)
    folder = tmp_path / "masks"
    folder.mkdir()
    lock(folder, (3, 10), **ELSEWHERE)
    assert held_shards(str(folder)) == {(3, 10)}
    with pytest.raises(LockedError, match="scancel that job, which has not ended, or --take-over"):
        opened(folder, shard=(3, 10))
    make(folder, IDS, shard=(3, 10), take_over=True)


@pytest.mark.parametrize(
    "owner",
    [{"cluster": "small"}, {"cluster": None}, {"user": -1}, {"job": "42;"}, {"task": "x"}, {}],
)
def test_slurm_is_not_believed_about_jobs_that_it_may_not_know(
    owner: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of other clusters and users, of none at all, or while its daemon does not answer."""
    asked = install(tmp_path, monkeypatch, "Unable to contact slurm controller", 1)
    folder = tmp_path / "masks"
    folder.mkdir()
    lock(folder, (3, 10), **{**ELSEWHERE, **owner})
    with pytest.raises(LockedError, match=r"task \S+\): --take-over if that process is gone"):
        opened(folder, shard=(3, 10))
    assert (asked.exists() and "show job" in asked.read_text()) is not bool(owner)


def test_an_array_is_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = [TASK.format("RUNNING", 0).replace("TaskId=3", f"TaskId={task}") for task in range(9)]
    asked = install(tmp_path, monkeypatch, lines_of(*tasks))
    for task in range(9):
        lock(tmp_path, (task, 10), **{**ELSEWHERE, "task": str(task)})
    assert held_shards(str(tmp_path)) == {(task, 10) for task in range(9)}
    assert asked.read_text().splitlines() == ["show config", "show job --oneliner 42"]
