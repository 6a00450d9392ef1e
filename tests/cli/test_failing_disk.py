"""Disks that fail in the midst of a command: one line, nothing lost, the same command goes on."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
from itertools import cycle
from pathlib import Path

import pytest

from sbtools.store import digest
from tests.cli.running import environment, sbtools, server
from tests.fuzz import corpus
from tests.making import make_clips

MOMENT = ("time", "run", "digest")
KEPT = (".mp4", ".jsonl")
SLOW = bool(os.environ.get("SBTOOLS_TEST_SLOW"))
CODES = {"EIO": "Input/output error", "ENOSPC": "No space left", "EDQUOT": "quota exceeded"}
COMMANDS: dict[str, tuple[list[str], str]] = {
    "mask": ([*corpus.MASK, "-o", "new", "--part-clips", "2", "masks.jsonl"], "new"),
    "detect": (["detect", "--detector", "motion", "--workers", "0", "--frames", "2", "-o",
                "new.jsonl", "clips.jsonl"], "new.jsonl"),
    "split": (["split", "--records", "new.jsonl", "clips.jsonl"], "new.jsonl"),
    "eval": ([*corpus.EVAL, "--model", "mine:mean", "--views", "plain,bg", "--scores", "new",
              "-o", "new.json", "masks.jsonl"], "new"),
    "train": ([*corpus.TRAIN, "--epochs", "1", "-o", "new", "clips.jsonl"], "new"),
    "segment": ([*corpus.SEGMENT, "-o", "new", "--part-clips", "2", "clips.jsonl"], "new"),
    "view": (["view", "--workers", "0", "-o", "new.png", "masks.jsonl"], "new.png"),
    "view --video": (["view", "--workers", "0", "--video", "new", "masks.jsonl"], "new"),
    "report": (["report", "-o", "new.html", "result.json"], "new.html"),
    "card": (["card", "mine:mean", *corpus.EVAL[1:], "-o", "new.html", "masks.jsonl"], "new.json"),
    "demo": (["demo", "new", "--scale", "0.01", "--frames", "2", "--size", "32", "--workers", "0",
              "--limit", "2", "--splits", "train"], "new"),
}  # fmt: skip
"""Its words, and what it keeps."""

LONG = ("train", "segment", "card", "demo", "view --video")
"""Tried when there is time."""

ONCE = ("view", "report")
"""In CI at the last call but one alone."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips, their masks and a model."""
    work = tmp_path_factory.mktemp("failing")
    make_clips(work / "clips", 4, frames=8)
    (work / "mine.py").write_text(corpus.MODEL)
    shutil.copy(Path(__file__).parents[1] / "evaluate" / "result-v1.json", work / "result.json")
    for words, name in (
        (["index", "--workers", "0", "clips"], "clips.jsonl"),
        ([*corpus.SEGMENT, "-o", "masks", "clips.jsonl"], "masks.jsonl"),
    ):
        done = sbtools(*words, cwd=work)
        assert done.returncode == 0, done.stderr
        (work / name).write_bytes(done.stdout)
    return work


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_whose_disk_fails_says_so_and_goes_on_later(
    name: str, made: Path, tmp_path: Path
) -> None:
    """At each call that writes, from which on the disk fails; in CI at one of the first, one in the
    middle and the last but one."""
    if name in LONG and not SLOW:
        pytest.skip("takes minutes (SBTOOLS_TEST_SLOW=1 runs it)")
    words, kept = COMMANDS[name]

    def run(place: str, fail: str) -> tuple[subprocess.CompletedProcess[bytes], int]:
        shutil.copytree(made, tmp_path / place, dirs_exist_ok=True)
        calls = tmp_path / f"{place}.calls"
        env = {"SERVED_FAIL": f"{fail}:{calls}"} if fail else {}
        done = sbtools(*words, cwd=tmp_path / place, env=env)
        return done, calls.stat().st_size if fail else 0

    clean, count = run("clean", "0:EIO")
    assert clean.returncode == 0 and count > 3, clean
    few = {count - 1} if name in ONCE else {2, count // 2, count - 1}
    places = range(1, count + 1) if SLOW else sorted(few)
    for at, code in zip(places, cycle(CODES), strict=False):
        failed, _ = run(str(at), f"{at}:{code}")
        assert failed.returncode == 6, (at, failed)
        lines = failed.stderr.decode().splitlines()
        assert "ERROR: cannot write" in lines[-1] and CODES[code] in lines[-1], failed
        assert sum("ERROR" in line for line in lines) == 1 and "bug" not in lines[-1]
        assert clean.stdout.startswith(failed.stdout) or name == "train"
        again, _ = run(str(at), "")
        assert again.returncode == 0, (at, again)
        assert content(tmp_path / str(at) / kept) == content(tmp_path / "clean" / kept), at
        assert [file for file in (tmp_path / str(at)).rglob("*") if ".tmp-" in file.name] == []


def content(place: Path) -> object:
    """What does not hang on the time, the place and the number of runs."""
    if place.suffix == ".json":
        found = json.loads(place.read_bytes())
        return {name: value for name, value in found.items() if name not in MOMENT}
    if place.is_file():
        return place.read_bytes()
    if (place / "made.json").exists():
        return digest(str(place))
    if (place / "last.pt").exists():
        import torch

        return str(torch.load(place / "last.pt", weights_only=True)["model"])
    files = {str(file.relative_to(place)): file for file in sorted(place.rglob("*.[mj]*"))}
    held = {name: file.read_bytes() for name, file in files.items() if file.suffix in KEPT}
    return held, digest(str(place / "masks")) if (place / "masks").exists() else None


def test_a_terminal_that_is_gone_is_told(made: Path) -> None:
    """Writing to one whose other end was closed is an I/O error."""
    master, slave = pty.openpty()
    os.close(master)
    done = subprocess.run(
        [*server().words, "split", "clips.jsonl"], env=environment(), cwd=made,
        stdin=subprocess.DEVNULL, stdout=slave, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(slave)
    assert done.returncode == 6
    assert done.stderr.count(b"\n") == 1 and b"Input/output error" in done.stderr
