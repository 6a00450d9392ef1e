"""examples/slurm/pipeline.sh: from videos to a report, which one damaged video does not stop."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import lines
from tests.making import make_clips
from tests.slurm.cluster import Cluster
from tests.slurm.conftest import SCRIPTS

SMALL = {
    "SHARDS": "2",
    "SHARDS_EVAL": "2",
    "MAX_FAILED": "20%",
    "JOB": "--cpus-per-task=1",
    "SEGMENT_OPTIONS": "--detector motion --frames 2",
    "TRAIN_JOB": "--nodes=1 --gpus-per-node=0",
    "TRAIN_OPTIONS": "--epochs 1 --batch 4 --frames 2 --warmup 0 --workers 0",
    "EVAL_JOB": "--gpus-per-task=0",
    "EVAL_OPTIONS": "--workers 0",
}


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder with train and val, a damaged video in each, and a small CLIP of random weights."""
    from sbtools.models import clip
    from sbtools.models.arch import named

    for name in ("train", "val"):
        make_clips(tmp_path / name, 6, frames=12)
        (tmp_path / name / "walk" / "broken.mp4").write_bytes(b"<html>not found</html>")
    clip.save(clip.random(named("tiny")[0], 0), str(tmp_path / "tiny.safetensors"))
    return tmp_path


def pipeline(cluster: Cluster, folder: Path, **env: str) -> dict[str, int]:
    """Runs it, and waits for the report: the exit status of each job by its name."""
    done = subprocess.run(
        ["bash", SCRIPTS / "pipeline.sh", "train", "val", "out"],
        cwd=folder,
        env={**cluster.env, "WEIGHTS": str(folder / "tiny.safetensors"), **SMALL, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    cluster.ended(done.stdout.strip(), patience=3000)
    submitted = [line.split(": ") for line in done.stderr.splitlines() if line.startswith("job ")]
    return {
        name.split(",")[0]: max(cluster.ended(job.removeprefix("job ")).values())
        for job, name in submitted
    }


@pytest.mark.usefixtures("unhurried")
def test_the_whole_way_and_a_training_that_fails(slurm: Cluster, videos: Path) -> None:
    """Its ratio is wrong: its result is missing, and named, and the rest is there."""
    ended = pipeline(slurm, videos, RATIOS="1:0 wrong")
    wrong = {"train-wrong": 2, "join-wrong": 2, "report": 3}
    assert {name: code for name, code in ended.items() if code} == wrong
    out = videos / "out"
    for name in ("train-masks", "val-masks", "val-masked"):
        records = lines((out / f"{name}.jsonl").read_bytes())
        assert len(records) == 7 and sum("error" in record for record in records) == 1
    result = json.loads((out / "results" / "1-0.json").read_text())
    assert result["clips"]["used"] == 6 and "p_top1" in result["metrics"]
    assert (out / "report.html").stat().st_size > 1000
    assert not slurm.run("squeue", "-h").stdout
    # What is done is not done again.
    again = pipeline(slurm, videos, RATIOS="1:0")
    assert again == {"report": 0}
