"""An array of tasks, as the scripts of examples/slurm are taken: each task is one shard."""

from __future__ import annotations

import signal

from tests.cli.running import ids, sbtools
from tests.slurm.cluster import Cluster, until
from tests.slurm.conftest import ASKED, SCRIPTS, SMALL, Whole
from tests.slurm.paused import await_signal, paused


def test_a_task_that_is_told_to_stop_goes_on_later(slurm: Cluster, whole: Whole) -> None:
    """USR1, which Slurm sends before the time is up: the task is requeued, the other goes on."""
    job = slurm.submit(
        SCRIPTS / "segment.sbatch", "clips.jsonl", "new/masks", *ASKED,
        options=["--array=0-1", *SMALL], cwd=whole.folder,
    )  # fmt: skip
    with paused(slurm, f"{job}_1", whole.folder / "new" / "masks") as pid:
        slurm.run("scancel", "--batch", "--signal=USR1", f"{job}_1")
        await_signal(pid, signal.SIGUSR1)
    until("the task to be requeued", lambda: slurm.restarts(f"{job}_1"))
    slurm.hurry(f"{job}_1")
    assert slurm.ended(job) == {"0": 0, "1": 0}
    log = (whole.folder / f"segment-{job}_1.log").read_text()
    assert "stopped on request" in log and "were done already" in log
    assert whole.equals("new/masks")


def test_a_task_that_is_cancelled_is_submitted_again(
    unhurried: None, slurm: Cluster, whole: Whole
) -> None:
    """TERM to all of a task, as by scancel; the task alone is submitted again."""
    job = slurm.submit(
        SCRIPTS / "segment.sbatch", "clips.jsonl", "cut", *ASKED,
        options=["--array=0-1", *SMALL], cwd=whole.folder,
    )  # fmt: skip
    with paused(slurm, f"{job}_1", whole.folder / "cut") as pid:
        slurm.run("scancel", f"{job}_1")
        await_signal(pid, signal.SIGTERM)
    slurm.ended(job)
    assert slurm.state(f"{job}_1") == "CANCELLED"
    told = sbtools("status", "cut", "clips.jsonl", cwd=whole.folder)
    assert told.returncode == 1 and b"--array=1 " in told.stdout
    again = slurm.submit(
        SCRIPTS / "segment.sbatch", "clips.jsonl", "cut", *ASKED,
        options=["--array=1", *SMALL], cwd=whole.folder,
    )  # fmt: skip
    assert slurm.ended(again) == {"1": 0}
    assert sbtools("status", "cut", "clips.jsonl", cwd=whole.folder).returncode == 0
    joined = slurm.submit(
        SCRIPTS / "join.sbatch", "segment", "clips.jsonl", "cut", "cut.jsonl", *ASKED,
        options=SMALL, cwd=whole.folder,
    )  # fmt: skip
    assert slurm.ended(joined) == {"": 0}
    assert ids((whole.folder / "cut.jsonl").read_bytes()) == whole.ids
    assert whole.equals("cut")
