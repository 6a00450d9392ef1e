"""An array of tasks, as the scripts of examples/slurm are taken: each task is one shard."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import ids, lines, sbtools
from tests.making import make_clips
from tests.slurm.cluster import Cluster, until
from tests.slurm.conftest import SCRIPTS, SMALL

SEGMENT = ("segment", "--segmenter", "grabcut", "--workers", "0")


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clips.jsonl, ten clips."""
    folder = tmp_path_factory.mktemp("array")
    made = sbtools("index", make_clips(folder / "clips", 10, frames=12), cwd=folder)
    (folder / "clips.jsonl").write_bytes(made.stdout)
    assert len(ids(made.stdout)) == 10
    return folder


def digest(folder: Path, store: str) -> bytes:
    """What `check --digest` prints of the content of a store that is whole."""
    done = sbtools("check", "--digest", store, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[0]


def test_what_is_told_to_stop_goes_on_and_the_store_is_the_same(
    slurm: Cluster, listed: Path
) -> None:
    """USR1, which Slurm sends before the time is up, to one task in the middle of its work."""
    asked = ["--detector", "motion", "--frames", "2", "--part-clips", "1"]
    job = slurm.submit(
        SCRIPTS / "segment.sbatch", "clips.jsonl", "new/masks", *asked,
        options=["--array=0-1", *SMALL], cwd=listed,
    )  # fmt: skip
    store = listed / "new" / "masks"
    until("a clip to be done", lambda: list(store.glob("001of002-*.h5")))
    slurm.run("scancel", "--batch", "--signal=USR1", f"{job}_1")
    until("the task to be requeued", lambda: slurm.restarts(f"{job}_1"))
    slurm.hurry(f"{job}_1")
    assert slurm.ended(job) == {"0": 0, "1": 0}
    log = (listed / f"segment-{job}_1.log").read_text()
    assert "stopped on request" in log and "were done already" in log
    alone = sbtools(*SEGMENT, *asked, "-o", "alone", "clips.jsonl", cwd=listed)
    assert digest(listed, "new/masks") == digest(listed, "alone")
    assert len(lines(alone.stdout)) == 10
