"""Ctrl-C in a terminal: once, twice, in a pipe, in the midst of a computation."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sbtools.store.layout import parts_of
from tests.cli.running import SBTOOLS, environment, sbtools, server
from tests.cli.screens import Terminal
from tests.making import make_clips

CTRL_C = b"\x03"
AGAIN = "Ctrl-C again stops now"
LONG = """
import hashlib, logging, sys
from sbtools.cli import messages, process, watch

watch.PATIENCE = 0.2
messages.begin()
with process.StopFlag("finishing this batch", "nothing was written").installed():
    print("begun", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 1 << 30)
"""


def test_a_long_computation_is_no_reason_to_wait_for_an_answer(tmp_path: Path) -> None:
    """Python itself tells no signal before it ends."""
    with Terminal([sys.executable, "-c", LONG], tmp_path) as terminal:
        terminal.until(lambda shown: shown == ["begun"])
        terminal.press(CTRL_C)
        terminal.until(lambda shown: shown[-1:] == [f"sbtools: finishing this batch; {AGAIN}"], 30)
        terminal.press(CTRL_C)
        shown = terminal.end(30)
    assert terminal.status == 130 and shown[-1] == "sbtools: stopped; nothing was written"


SEGMENT = "segment --detector motion --segmenter grabcut --workers 0 --frames 2 --part-clips 1"


def test_a_pipe_has_a_line_for_each_stage_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    for place, clip in enumerate(sorted(make_clips(tmp_path / "clips", 4).rglob("*.mp4"))):
        for copy in range(60):
            os.link(clip, clip.with_name(f"again{place}-{copy}.mp4"))
    run = shlex.join(SBTOOLS)
    line = f"{run} {SEGMENT} clips | {run} mask --mode bg --workers 0 > out.jsonl"
    with Terminal(["bash", "-c", f"{line}; echo ${{PIPESTATUS[*]}}"], tmp_path) as terminal:
        shown = terminal.until(lambda shown: "".join(shown[-1:]).startswith("sbtools mask: "), 100)
        first, second = shown[-2:]
        assert first.startswith("sbtools segment [") and " of 244 clips" in first
        assert second.startswith("sbtools mask: ") and " of " not in second
        terminal.press(CTRL_C)
        terminal.until(lambda shown: sum(AGAIN in line for line in shown) == 2, 30)
        shown = terminal.end()
    assert shown[-1] == "130 130" and shown[0] == "sbtools segment: 244 clips"
    assert sorted(shown[1:3]) == [f"sbtools {name}: finishing this clip; {AGAIN}"
                                  for name in ("mask", "segment")]  # fmt: skip
    assert all(line.endswith("the same command goes on") for line in shown[3:-1])
    assert len(shown) == 6 and parts_of(str(tmp_path / "masks"))


MODEL = """
import time

class Slow:
    recipe, frames = {"size": 32}, 2

    def __call__(self, video):
        print("forward", flush=True)
        time.sleep(4)
        return video.mean((1, 2))[:, :2, 0]

def slow():
    return Slow()
"""


EVAL = ["eval", "--model", "mine:slow", "--controls"]


@pytest.mark.parametrize(
    "words",
    [["card", "mine:slow", "-o", "c.html"], [*EVAL, "-o", "r.json"], [*EVAL, "--top", "1"]],
)
def test_a_judgement_ends_within_a_batch_and_leaves_nothing(
    words: list[str], clips: Path, tmp_path: Path
) -> None:
    """With all views it would take 4 s for each of 5 views."""
    (tmp_path / "mine.py").write_text(MODEL)
    more = ["--classes", "walk,wave", "--workers", "0", str(clips)]
    with subprocess.Popen(
        [*server().words, *words, *more], cwd=tmp_path, env=environment(),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"forward\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    last = err.decode().splitlines()[-2:]
    assert process.returncode == 130 and out == b""
    assert last == [f"sbtools {words[0]}: finishing this batch; {AGAIN}",
                    f"sbtools {words[0]}: stopped on request; nothing was written"]  # fmt: skip
    assert [path.name for path in tmp_path.iterdir() if path.suffix in (".html", ".json")] == []


def test_quiet_says_nothing_of_an_interrupt(clips: Path, tmp_path: Path) -> None:
    command = [*SBTOOLS, *SEGMENT.split(), "-q", str(clips)]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode in (0, 130) and err == b""
    assert sbtools("check", "masks", cwd=tmp_path).returncode == 0
