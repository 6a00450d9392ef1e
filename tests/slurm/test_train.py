"""train.sbatch on two nodes, whose names do not resolve, put back before its time is up."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.cli.running import lines, sbtools
from tests.slurm.cluster import Cluster, until
from tests.slurm.conftest import SCRIPTS, SMALL, Whole
from tests.slurm.paused import await_signal, held, pythons

HOW = ["--epochs", "4", "--batch", "4", "--frames", "2", "--warmup", "0", "--workers", "0"]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A small CLIP with random weights."""
    from sbtools.models import clip
    from sbtools.models.arch import named

    place = tmp_path / "tiny.safetensors"
    clip.save(clip.random(named("tiny")[0], 0), str(place))
    return place


@pytest.mark.usefixtures("unhurried")
def test_two_nodes_that_are_put_back_go_on(slurm: Cluster, whole: Whole, tiny: Path) -> None:
    job = slurm.submit(
        SCRIPTS / "train.sbatch", "clips.jsonl", "nodes", *HOW,
        options=["--gpus-per-node=0", *SMALL],
        cwd=whole.folder, env={"WEIGHTS": str(tiny), "GLOO_SOCKET_IFNAME": "lo"},
    )  # fmt: skip
    told = whole.folder / "nodes.jsonl"
    until("an epoch to be done", lambda: told.exists() and told.read_bytes())
    with held(pythons(job)) as first:
        slurm.run("scancel", "--batch", "--signal=USR1", job)
        await_signal(first, signal.SIGUSR1)
    until("the job to be requeued", lambda: slurm.restarts(job))
    slurm.hurry(job)
    assert slurm.ended(job) == {"": 0}
    alone = sbtools(
        "train", "--ranks", "2", "--weights", tiny, *HOW, "-o", "one", "clips.jsonl",
        cwd=whole.folder,
    )  # fmt: skip
    epochs, expected = lines(told.read_bytes()), lines(alone.stdout)
    assert [epoch["epoch"] for epoch in epochs] == [1, 2, 3, 4]
    assert [epoch["losses"] for epoch in epochs] == [epoch["losses"] for epoch in expected]
