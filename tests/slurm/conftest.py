"""A cluster for the tests of the batch scripts; skipped by name where Slurm is not installed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.running import ids, sbtools
from tests.making import make_clips
from tests.slurm.cluster import Cluster
from tests.slurm.machine import SCRIPTS, can_part, job_environment, missing

__all__ = ["SCRIPTS"]
SMALL = ("--cpus-per-task=1",)
"""What a task asks for on a busy machine: one process that decodes."""
ASKED = ("--detector", "motion", "--frames", "2", "--part-clips", "1")
"""Options of segment.sbatch with which a clip is soon done, and committed at once."""


@dataclass(frozen=True)
class Whole:
    """clips.jsonl in a folder, and what one process without Slurm makes of it by ASKED."""

    folder: Path
    ids: Sequence[str]
    digest: bytes

    def equals(self, store: str) -> bool:
        """Whether a store in the folder is whole, and has the same content."""
        return digest(self.folder, store) == self.digest


def digest(folder: Path, store: str) -> bytes:
    """What `check --digest` prints of the content of a store."""
    done = sbtools("check", "--digest", store, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[0]


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Eight clips."""
    folder = tmp_path_factory.mktemp("array")
    made = sbtools("index", make_clips(folder / "clips", 8, frames=12), cwd=folder).stdout
    (folder / "clips.jsonl").write_bytes(made)
    alone = ["--workers", "0", "--segmenter", "grabcut", *ASKED, "-o", "alone", "clips.jsonl"]
    assert sbtools("segment", *alone, cwd=folder).returncode == 0
    return Whole(folder, ids(made), digest(folder, "alone"))


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose nodes do not hold jobs to their memory: that needs no rights of root."""
    yield from _running(tmp_path_factory.mktemp("slurm"), limited=False)


@pytest.fixture
def limited_slurm(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster that ends a job which takes more memory than it asked for."""
    if os.geteuid() != 0 or not os.access("/sys/fs/cgroup/memory", os.W_OK):
        pytest.skip("memory limits need root and cgroups of version 1")
    yield from _running(tmp_path, limited=True)


def _running(folder: Path, *, limited: bool) -> Iterator[Cluster]:
    lacking = missing()
    if lacking is not None:
        pytest.skip(f"Slurm is not installed: no {lacking} (Debian: slurm-wlm)")
    env = job_environment(folder / "bin")
    cluster = Cluster(folder / "slurm", env, limited=limited, apart=can_part())
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
