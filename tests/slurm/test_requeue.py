"""What puts a task back into the queue, or kills it: nothing of what it has done is lost."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.cli.running import sbtools
from tests.slurm import processes
from tests.slurm.cluster import Cluster, until
from tests.slurm.conftest import ASKED, SCRIPTS, SMALL, Whole
from tests.slurm.paused import await_signal, paused

pytestmark = pytest.mark.usefixtures("unhurried")


def submit(cluster: Cluster, whole: Whole, store: str, *options: str, **env: str) -> str:
    return cluster.submit(
        SCRIPTS / "segment.sbatch", "clips.jsonl", store, *ASKED,
        options=["--array=0-0", *SMALL, *options], cwd=whole.folder, env=env,
    )  # fmt: skip


def goes_on(cluster: Cluster, whole: Whole, job: str, store: str) -> None:
    """The task, which is being put back, comes to its end with what it had done before."""
    until("the task to be requeued", lambda: cluster.restarts(f"{job}_0"))
    cluster.run("scontrol", "update", f"JobId={job}_0", "TimeLimit=60")
    cluster.hurry(f"{job}_0")
    assert cluster.ended(job) == {"0": 0}
    assert "done already" in (whole.folder / f"segment-{job}_0.log").read_text()
    assert whole.equals(store)


def test_when_the_time_is_up(slurm: Cluster, whole: Whole) -> None:
    job = submit(slurm, whole, "timed", "--time=2", "--signal=B:USR1@90")
    with paused(slurm, f"{job}_0", whole.folder / "timed") as pid:
        await_signal(pid, signal.SIGUSR1)
    goes_on(slurm, whole, job, "timed")


def test_when_a_job_of_higher_priority_needs_the_nodes(slurm: Cluster, whole: Whole) -> None:
    job = submit(slurm, whole, "preempted")
    all_of_it = ["--partition=high", "--nodes=2", "--exclusive", "--wrap=true", "--output=urgent"]
    with paused(slurm, f"{job}_0", whole.folder / "preempted") as pid:
        urgent = slurm.run("sbatch", "--parsable", *all_of_it, cwd=whole.folder).stdout.strip()
        await_signal(pid, signal.SIGTERM)
    assert slurm.ended(urgent) == {"": 0}
    goes_on(slurm, whole, job, "preempted")


def test_when_its_node_dies(slurm: Cluster, whole: Whole) -> None:
    job = submit(slurm, whole, "orphaned", "--nodelist=n2")
    with paused(slurm, f"{job}_0", whole.folder / "orphaned"):
        (task,) = slurm.tasks(f"{job}_0").values()
        number = task["JobId"]
        steps = slurm.steps(number)
        assert steps
        for pid in [slurm.daemon("n2"), *steps, *processes.of_environment("SLURM_JOB_ID", number)]:
            processes.kill(pid, signal.SIGKILL)
    until("the node to be down", lambda: "down" in slurm.nodes()["n2"])
    slurm.start_node("n2")
    goes_on(slurm, whole, job, "orphaned")


def test_when_it_is_killed_and_the_other_node_goes_on(slurm: Cluster, whole: Whole) -> None:
    """Its lock stays behind, and names a host that the other one cannot look into."""
    two = {"SBTOOLS_SHARDS": "2"}
    job = submit(slurm, whole, "killed", "--nodelist=n2", **two)
    told = {"SLURM_CONF": str(slurm.conf)}
    with paused(slurm, f"{job}_0", whole.folder / "killed"):
        (task,) = slurm.tasks(f"{job}_0").values()
        status = sbtools("status", "--json", "killed", "clips.jsonl", cwd=whole.folder, env=told)
        assert json.loads(status.stdout)["running_shards"] == "0"
        for pid in processes.of_environment("SLURM_JOB_ID", task["JobId"]):
            processes.kill(pid, signal.SIGKILL)
    slurm.wait_for(f"{job}_0", "FAILED")
    assert list((whole.folder / "killed").glob(".lock-*"))
    status = sbtools("status", "--json", "killed", "clips.jsonl", cwd=whole.folder, env=told)
    array = json.loads(status.stdout)["array"]
    assert array == "0,1"
    again = submit(slurm, whole, "killed", "--nodelist=n1", f"--array={array}", **two)
    assert slurm.ended(again) == {"0": 0, "1": 0}
    assert whole.equals("killed")


def test_when_its_memory_is_too_small(limited_slurm: Cluster, whole: Whole) -> None:
    """The kernel kills it; the shard is missing, and done when it is given more."""
    job = submit(limited_slurm, whole, "cramped", "--mem=60M")
    (code,) = limited_slurm.ended(job).values()
    killed = limited_slurm.state(f"{job}_0") == "OUT_OF_MEMORY"
    assert killed or code == 128 + signal.SIGKILL
    if os.path.exists(whole.folder / "cramped"):
        assert sbtools("status", "cramped", "clips.jsonl", cwd=whole.folder).returncode == 1
    again = submit(limited_slurm, whole, "cramped", "--mem=4G")
    assert limited_slurm.ended(again) == {"0": 0}
    assert whole.equals("cramped")
