"""`sbtools eval` with real processes: pipes, and going on after a signal."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from sbtools.store import read_rows
from tests.cli.running import SBTOOLS, environment, lines, sbtools, shell
from tests.making import make_clips

MODEL = """
import time
import torch

class Slow(torch.nn.Module):
    recipe, frames = {"size": 32}, 2

    def __init__(self, classes, wait):
        super().__init__()
        self.classes, self.wait = classes, wait

    def forward(self, video):
        with open("calls", "a") as file:
            file.write(".")
        time.sleep(self.wait)
        return video.mean((1, 2))[:, : len(self.classes), 0]

def slow(classes, wait=0.0):
    return Slow(classes, wait)
"""
EVAL = ["eval", "--model", "mine:slow", "--classes", "walk,wave", "--workers", "0"]


@pytest.fixture
def work(clips: Path, tmp_path: Path) -> Path:
    shutil.copytree(clips, tmp_path / "clips")
    (tmp_path / "mine.py").write_text(MODEL)
    return tmp_path


def test_a_pipe_of_records_becomes_one_object_on_stdout(work: Path) -> None:
    done = shell("set -o pipefail; sbtools index clips | sbtools " + " ".join(EVAL), cwd=work)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["format"] == "sbtools-result" and found["clips"]["used"] == 4
    assert found["classes"] == ["walk", "wave"] and list(found["views"]) == ["plain"]
    assert b"the records have no masks" in done.stderr and b"Traceback" not in done.stderr
    assert sbtools(*EVAL, cwd=work).returncode == 2  # /dev/null is no pipe


def test_term_leaves_a_whole_store_and_the_same_command_goes_on(work: Path, tmp_path: Path) -> None:
    make_clips(work / "more", 12, frames=8)
    calls = work / "calls"
    words = [*EVAL, "--set-model", "wait=.6", "--batch", "1", "--examples", "0"]
    words += ["--scores", "kept", "more"]
    process = subprocess.Popen(
        [*SBTOOLS, *words], cwd=work, env=environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    limit = time.monotonic() + 60
    while not (calls.exists() and calls.stat().st_size >= 3) and time.monotonic() < limit:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143 and out == b"" and b"Traceback" not in err
    first = sum(len(block.records) for block in read_rows(str(work / "kept")))
    assert 1 < first < 12
    calls.unlink()
    again = sbtools(*words, "-o", "r.json", cwd=work)
    assert again.returncode == 0 and f"{first} clips are scored already".encode() in again.stderr
    assert json.loads((work / "r.json").read_bytes())["clips"]["used"] == 12
    assert calls.stat().st_size == 12 - first


def test_scores_of_any_program_are_judged(work: Path) -> None:
    rows = [
        {"id": f"c{n}", "label": "walk", "scores": {"plain": [n, 1], "bg": [0, 1]}}
        for n in range(4)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    done = sbtools("eval", "--from-scores", "-", "--classes", "walk,wave", cwd=work, stdin=text)
    assert done.returncode == 0, done.stderr
    (found,) = lines(done.stdout.replace(b"\n", b""))
    assert found["metrics"]["top1"]["value"] == (0 + 0.5 + 1 + 1) / 4
    assert found["metrics"]["p_top1"]["value"] == 0
    assert sbtools("eval", "--from-scores", "-", cwd=work, stdin=text).returncode == 2


def test_from_scores_needs_no_torch(work: Path) -> None:
    script = (
        "import sys; sys.modules['torch'] = None; from sbtools.cli.process import call; "
        "sys.exit(call(['eval', '--from-scores', 's.jsonl', '--classes', 'a,b', '-q']))"
    )
    (work / "s.jsonl").write_text('{"id": "x", "label": "a", "scores": {"plain": [1, 0]}}\n')
    done = subprocess.run(
        [SBTOOLS[0], "-c", script], cwd=work, env=environment(), capture_output=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
