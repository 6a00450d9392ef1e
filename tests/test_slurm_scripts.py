"""The scripts of examples/slurm, with programs in place of Slurm; tests/slurm has a real one."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.making import make_clips
from tests.test_examples import HERE, TASK, bash, executable, path

__all__ = ["path"]
SLURM = HERE / "examples" / "slurm"
GIVEN = {
    "segment": ["clips.jsonl", "new/store"],
    "masks": ["clips.jsonl", "new/store"],
    "mask": ["masks.jsonl", "new/store"],
    "eval": ["runs/bg50", "masks.jsonl", "new/store"],
}
"""The array scripts, and what they are given before the options."""


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """A program in place of sbtools that prints how it is called to stderr, and ends with $CODE."""
    text = 'echo "$SBTOOLS_SHARD ${SEEN:-}" >&2; printf "%s\\n" "$@" >&2; exit "${CODE:-0}"'
    return executable(tmp_path / "fake", text)


def run(
    script: str, *options: str, fake: Path, path: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    env = {**TASK, "SBTOOLS": str(fake), **(env or {})}
    words = [*GIVEN[script], *options]
    return bash(SLURM / f"{script}.sbatch", *words, cwd=fake.parent, path=path, env=env)


@pytest.mark.parametrize("script", GIVEN)
def test_options_reach_the_command_and_folders_are_made(
    script: str, fake: Path, path: Path
) -> None:
    done = run(script, "--frames", "4 5", "--odd", fake=fake, path=path, env={"CODE": "9"})
    words = done.stderr.decode().splitlines()
    assert done.returncode == 9 and (fake.parent / "new").is_dir()
    assert words[words.index("--frames") :][:3] == ["--frames", "4 5", "--odd"]
    assert "--device" not in words


@pytest.mark.parametrize("script", GIVEN)
def test_a_file_is_sourced_that_makes_the_environment(script: str, fake: Path, path: Path) -> None:
    (fake.parent / "env").write_text("[ -z $UNSET ]; export SEEN=seen\n")  # as /usr/bin/env
    done = run(script, fake=fake, path=path, env={"SBTOOLS_ENV": "env"})
    assert done.returncode == 0 and b" seen\n" in done.stderr
    done = run(script, fake=fake, path=path, env={"SBTOOLS_ENV": "nowhere"})
    assert done.returncode == 2 and b"SBTOOLS_ENV: no file nowhere on " in done.stderr


@pytest.mark.parametrize("script", ["masks", "eval"])
def test_a_gpu_that_slurm_gives_is_asked_for(script: str, fake: Path, path: Path) -> None:
    done = run(script, "--device", "cuda:0", fake=fake, path=path, env={"SLURM_GPUS_ON_NODE": "1"})
    words = done.stderr.decode().splitlines()
    places = [place for place, word in enumerate(words) if word == "--device"]
    assert [words[place + 1] for place in places] == ["cuda", "cuda:0"]


def test_a_gpu_that_torch_does_not_see_is_an_error(tmp_path: Path, path: Path) -> None:
    from tests.segment import small_sam

    small_sam.save(small_sam.small(), tmp_path / "sam.pth")
    make_clips(tmp_path / "clips", 1, frames=3)
    words = ["--detector", "motion", "--segmenter", "sam", "--weights", "sam.pth"]
    env = {**TASK, "SLURM_GPUS_ON_NODE": "1", "CUDA_VISIBLE_DEVICES": ""}
    env["SLURM_ARRAY_TASK_COUNT"] = "1"
    done = bash(SLURM / "masks.sbatch", "clips", "m", *words, cwd=tmp_path, path=path, env=env)
    assert done.returncode == 2, done.stderr
    assert b"device cuda: torch sees 0 CUDA devices" in done.stderr
    assert not (tmp_path / "m").exists()


def test_what_all_scripts_share_is_the_same_in_all() -> None:
    """Slurm runs a copy of the script: it can source nothing that lies beside it."""
    scripts = [script for script in SLURM.glob("*.sbatch") if script.name != "train.sbatch"]
    assert len(scripts) == 6
    for script in scripts:
        text = script.read_text("utf-8")
        found = re.search(r'^if \[ -n "\$\{SBTOOLS_ENV:-\}" \]; then\n.*?^fi\n', text, re.M | re.S)
        assert found and os.access(script, os.X_OK), script
        assert {"--requeue", "--open-mode=append"} <= set(re.findall(r"^#SBATCH (.*)$", text, re.M))
        assert found[0] in (SLURM / "segment.sbatch").read_text("utf-8"), script


@pytest.fixture
def slurm(path: Path, tmp_path: Path) -> Path:
    """PATH with an sbatch that notes its words and counts its jobs."""
    executable(
        path / "sbatch",
        f'echo "${{SBTOOLS_SHARDS:-}} $*" >> {tmp_path}/sbatch.log; wc -l < {tmp_path}/sbatch.log',
    )
    return path


def pipeline(cwd: Path, path: Path, **env: str) -> dict[str, tuple[str, str]]:
    """Each job that is submitted: by its name what it depends on, by names, and its words."""
    (cwd / "sbatch.log").unlink(missing_ok=True)
    done = bash(SLURM / "pipeline.sh", "train", "val.jsonl", "out", cwd=cwd, path=path, env=env)
    assert done.returncode == 0, done.stderr
    jobs = (cwd / "sbatch.log").read_text().splitlines()
    assert done.stdout.decode() == f"{len(jobs)}\n"
    names = [re.findall(r"--job-name (\S+)", job)[0] for job in jobs]
    told = {}
    for name, job in zip(names, jobs, strict=True):
        assert "--kill-on-invalid-dep=yes" in job
        kind, *needed = (re.findall(r"--dependency (\S+)", job) or [""])[0].split(":")
        told[name] = " ".join([kind, *(names[int(number) - 1] for number in needed)]), job
    return told


CHAIN = {
    "index-train": "",
    "masks-train": "afterok index-train",
    "join-train": "afterany masks-train",
    "masks-val": "",
    "join-val": "afterany masks-val",
    "mask-val": "afterok join-val",
    "join-masked": "afterany mask-val",
    "train-1-0": "afterok join-train",
    "eval-1-0": "afterok join-val train-1-0",
    "join-1-0": "afterany eval-1-0",
    "train-0-1": "afterok join-train",
    "eval-0-1": "afterok join-val train-0-1",
    "join-0-1": "afterany eval-0-1",
    "report": "afterany join-masked join-1-0 join-0-1",
}


def test_the_pipeline_submits_jobs_that_wait_for_one_another(slurm: Path, tmp_path: Path) -> None:
    jobs = pipeline(tmp_path, slurm, RATIOS="1:0 0:1", SHARDS="3", EVAL_JOB="--gpus-per-task=0")
    assert {name: needed for name, (needed, _) in jobs.items()} == CHAIN
    words = {name: text for name, (_, text) in jobs.items()}
    assert words["masks-val"].startswith("3 ") and "--array=0-2" in words["masks-val"]
    assert words["eval-0-1"].startswith("4 ") and "--gpus-per-task=0" in words["eval-0-1"]
    assert words["train-0-1"].endswith("out/runs/0-1 --max-failed 2% --method mask --set ratio=0:1")
    assert words["report"].endswith("out/results/1-0.json out/results/0-1.json")


def test_the_pipeline_does_not_do_again_what_is_done(slurm: Path, tmp_path: Path) -> None:
    for name in ("train-masks.jsonl", "val-masks.jsonl", "runs/1-0/done.json", "results/0-1.json"):
        place = tmp_path / "out" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    jobs = pipeline(tmp_path, slurm, RATIOS="1:0 0:1")
    assert {name: needed for name, (needed, _) in jobs.items()} == {
        "mask-val": "",
        "join-masked": "afterany mask-val",
        "eval-1-0": "",
        "join-1-0": "afterany eval-1-0",
        "report": "afterany join-masked join-1-0",
    }
