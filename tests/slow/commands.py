"""Commands that are killed, and one number for what each of them makes."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sbtools.store import check_store
from sbtools.store import digest as digest_of_store
from sbtools.train.checkpoint import read
from tests.cli.running import environment, sbtools, server
from tests.fuzz.corpus import EVAL, MASK, MODEL, SEGMENT, TRAIN
from tests.making import make_clips

CLIPS = 4
MOMENT = ("time", "run", "digest")
"""What a result says of when and where it was made."""


@dataclass(frozen=True)
class Command:
    """A command that is run in a folder with the inputs, and the SHA-256 of what it has made there,
    whole. AssertionError where something is wrong with that."""

    words: Sequence[str]
    made: Callable[[Path], str]

    def start(self, home: Path, **extra: str) -> subprocess.Popen[bytes]:
        """Begin it; what it prints is dropped, what it says is kept."""
        return subprocess.Popen(
            [*server().words, *self.words], cwd=home, env=environment(extra),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, home: Path, **extra: str) -> tuple[int, str]:
        """Run it to its end; its status and what it said."""
        with self.start(home, **extra) as process:
            _, said = process.communicate()
        return process.returncode, said.decode(errors="replace")


def _sum(parts: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(hashlib.sha256(part).digest())
    return found.hexdigest()


def _store(name: str) -> Callable[[Path], str]:
    def made(home: Path) -> str:
        assert list(check_store(str(home / name))) == []
        return digest_of_store(str(home / name))

    return made


def _stores(*names: str) -> Callable[[Path], str]:
    return lambda home: _sum(_store(name)(home).encode() for name in names)


def _demo(home: Path) -> str:
    files = sorted(path for path in (home / "d").rglob("*") if path.suffix in (".mp4", ".jsonl"))
    assert any(path.suffix == ".jsonl" for path in files)
    told = (str(path.relative_to(home)).encode() + path.read_bytes() for path in files)
    return _sum([*told, _store("d/masks")(home).encode()])


def _run(home: Path) -> str:
    state, _ = read(str(home / "run" / "last.pt"))
    assert (home / "run" / "done.json").exists()
    lines = (home / "run" / "log.jsonl").read_text().splitlines()
    told = [json.loads(line)["losses"] for line in lines]
    weights = ((name.encode(), _bytes(value)) for name, value in sorted(state["model"].items()))
    return _sum([json.dumps(told).encode(), *(part for pair in weights for part in pair)])


def _bytes(value: Any) -> bytes:
    return bytes(value.reshape(-1).contiguous().view(torch.uint8).numpy())


def _result(name: str, *others: Callable[[Path], str]) -> Callable[[Path], str]:
    def made(home: Path) -> str:
        found = json.loads((home / name).read_bytes())
        rest = {key: value for key, value in found.items() if key not in MOMENT}
        return _sum([json.dumps(rest).encode(), *(other(home).encode() for other in others)])

    return made


def _card(home: Path) -> str:
    assert (home / "card.html").read_text().rstrip().endswith("</html>")
    return _result("card.json")(home)


FEATURES = ["--model", "linear", "--set-model", "backbone=frame_cnn", "--frames", "4"]
_JUDGE = [*EVAL, "--model", "mine:mean", "--views", "plain,bg"]
COMMANDS = {
    "segment": Command([*SEGMENT, "--part-clips", "2", "-o", "new-masks", "clips.jsonl"],
                       _store("new-masks")),
    "mask": Command([*MASK, "--part-clips", "2", "-o", "pixels", "masks.jsonl"], _store("pixels")),
    "demo": Command(["demo", "d", "--scale", "0.01", "--frames", "2", "--size", "32", "--workers",
                     "0", "--limit", "6", "--part-clips", "2", "--splits", "train"], _demo),
    "train": Command([*TRAIN, "--epochs", "2", "--save-every", "1", "-o", "run", "clips.jsonl"],
                     _run),
    "eval": Command([*_JUDGE, "--scores", "scores", "-o", "result.json", "masks.jsonl"],
                    _result("result.json", _store("scores"))),
    "features": Command(["features", "--workers", "0", "--part-clips", "2", *FEATURES, "-o",
                         "features", "masks.jsonl"], _store("features")),
    "bank": Command(["bank", "--score", "motion", "--size", "16", "--frames", "6", "--workers", "0",
                     "--part-clips", "2", "--scores", "frame-scores", "-o", "bank", "clips.jsonl"],
                    _stores("frame-scores", "bank")),
    "card": Command(["card", "mine:mean", *EVAL[1:], "-o", "card.html", "masks.jsonl"], _card),
}  # fmt: skip


def make_inputs(folder: Path) -> Path:
    """A folder with all that the commands read."""
    make_clips(folder / "clips", CLIPS, frames=8)
    (folder / "mine.py").write_text(MODEL)
    index = Command(["index", "--workers", "0", "clips"], str)
    segment = Command([*SEGMENT, "-o", "masks", "clips.jsonl"], str)
    for command, name in ((index, "clips.jsonl"), (segment, "masks.jsonl")):
        done = sbtools(*command.words, cwd=folder)
        assert done.returncode == 0, done.stderr
        (folder / name).write_bytes(done.stdout)
    return folder


def fresh(inputs: Path, home: Path) -> Path:
    """A folder with the inputs and nothing else."""
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(inputs, home, ignore=shutil.ignore_patterns("__pycache__"))
    return home


def left_over(home: Path) -> list[str]:
    """Temporary files and locks that stand there still."""
    names = [str(path.relative_to(home)) for path in home.rglob("*")]
    return [name for name in names if ".tmp-" in name or ".lock-" in name]
