"""A cluster for the tests of the batch scripts; skipped by name where Slurm is not installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import environment
from tests.slurm.cluster import Cluster, missing, search_path

HERE = Path(__file__).resolve().parents[2]
SCRIPTS = HERE / "examples" / "slurm"
SMALL = ("--cpus-per-task=1",)
"""What a task asks for on a busy machine: one process that decodes."""


@pytest.fixture(scope="session")
def job_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What jobs find: this checkout's programs on PATH, one core each."""
    folder = tmp_path_factory.mktemp("bin")
    for name in ("sbtools", "sbtools-array"):
        (folder / name).symlink_to(HERE / "bin" / name)
    path = os.pathsep.join([str(folder), search_path()])
    return environment({"PATH": path, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"})


@pytest.fixture(scope="session")
def slurm(
    tmp_path_factory: pytest.TempPathFactory, job_environment: dict[str, str]
) -> Iterator[Cluster]:
    """A cluster whose nodes do not hold jobs to their memory: that needs no rights of root."""
    yield from _running(tmp_path_factory.mktemp("slurm"), job_environment, limited=False)


@pytest.fixture
def limited_slurm(tmp_path: Path, job_environment: dict[str, str]) -> Iterator[Cluster]:
    """A cluster that ends a job which takes more memory than it asked for."""
    if os.geteuid() != 0 or not os.access("/sys/fs/cgroup/memory", os.W_OK):
        pytest.skip("memory limits need root and cgroups of version 1")
    yield from _running(tmp_path / "slurm", job_environment, limited=True)


def _running(folder: Path, env: dict[str, str], *, limited: bool) -> Iterator[Cluster]:
    lacking = missing()
    if lacking is not None:
        pytest.skip(f"Slurm is not installed: no {lacking} (Debian: slurm-wlm)")
    cluster = Cluster(folder, env, limited=limited)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
