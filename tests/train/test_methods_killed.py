"""Every method by `sbtools train`: begun, killed without warning, and the same command again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from sbtools.methods import METHODS
from tests.cli.running import shell
from tests.train.killing import begun, ended, killed, start
from tests.train.toy_runs import require_identical, state

MAKE = """
set -e
demo() { sbtools demo -q --workers 0 --bias .9,0 --scale 0.02 --frames 6 "$@"; }
demo d --size 32 --splits train > made.jsonl
demo pairs --size 32 --zero-shot --splits zs-train > pairs.jsonl
sbtools bank -q --workers 0 --score motion --size 32 --frames 6 --scores frame-scores -o bank \\
    made.jsonl > scored.jsonl
sbtools mask -q --workers 0 --mode person-box --fill inpaint -o backgrounds made.jsonl > bg.jsonl
"""
"""What methods want: masks, scenes, boxes of objects, still frames, backgrounds."""

SETS: dict[str, list[str]] = {
    "stillmix": ["--set", "bank=bank"],
    "swap": ["--set", "backgrounds=backgrounds", "--set", "p=1"],
    "actorcutmix": ["--set", "p=1"],
    "fame": ["--set", "p=1"],
    "alternatives": ["--set", "p=1"],
    "dark": ["--set-model", "head=verb-noun"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, unhurried: None) -> Path:
    """Records, each the alternative of the next, and what resources name."""
    made = tmp_path_factory.mktemp("killed")
    done = shell(MAKE, cwd=made)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in (made / "made.jsonl").read_text().splitlines()]
    for record, other in zip(records, records[1:] + records[:1], strict=True):
        record["alternatives"] = [other["video"]]
    (made / "clips.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    return made


def train(folder: Path, run: str, method: str) -> subprocess.Popen[bytes]:
    clips = "pairs.jsonl" if method == "dark" else "clips.jsonl"
    words = ["--model", "linear", "--set-model", "backbone=conv3d", "--set-model", "size=32",
             "--lr", "1e-3", "--warmup", "0", "--batch", "4", "--frames", "4", "--epochs", "3",
             "--save-every", "1", "--workers", "0", "--ranks", "1", "--method", method,
             *SETS.get(method, []), "-o", run, clips]  # fmt: skip
    return start(folder, words)


@pytest.mark.parametrize("method", METHODS)
def test_a_killed_run_ends_as_one_that_was_not(folder: Path, method: str) -> None:
    whole, cut = folder / method, folder / f"{method}-killed"
    ended(train(folder, whole.name, method))
    killed(train(folder, cut.name, method), (cut / "last.pt").exists)
    assert begun(cut)
    ended(train(folder, cut.name, method))
    require_identical(state(cut), state(whole))
    told = [[json.loads(line)["losses"] for line in (run / "log.jsonl").read_text().splitlines()]
            for run in (cut, whole)]  # fmt: skip
    assert told[0] == told[1] and len(told[0]) == 3
