"""From clips to scores, in one process and as jobs of Slurm: what must come out the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cli.running import ids, sbtools
from tests.making import make_clips

FRAMES = ("--detector", "motion", "--frames", "2", "--part-clips", "1")
TRAIN = ("--epochs", "1", "--batch", "4", "--frames", "2", "--warmup", "0", "--workers", "0")
ONE = ("--batch", "1")
"""The last digits of a score depend on how many clips a batch has, and so on shards."""
STORES = ("masks", "masked", "scores")


@dataclass(frozen=True)
class Stage:
    """An array, and what joins it: a store is made of the clips of a file, and `out` of the store.

    script: one of examples/slurm with its arguments; join: the arguments of join.sbatch; options:
    of sbatch. at_once: the most tasks that fit into memory together.
    """

    store: str
    clips: str
    out: str
    script: Sequence[str]
    join: Sequence[str]
    options: Sequence[str] = ()
    at_once: int = 64


STAGES = (
    Stage(
        "masks", "clips.jsonl", "masks.jsonl",
        ("segment.sbatch", "clips.jsonl", "masks", *FRAMES),
        ("segment", "clips.jsonl", "masks", "masks.jsonl", *FRAMES),
    ),
    Stage(
        "masked", "masks.jsonl", "masked.jsonl",
        ("mask.sbatch", "masks.jsonl", "masked", "--mode", "bg", "--part-clips", "1"),
        ("mask", "masks.jsonl", "masked", "masked.jsonl", "--mode", "bg"),
    ),
    Stage(
        "scores", "masks.jsonl", "result.json",
        ("eval.sbatch", "run", "masks.jsonl", "scores", "--workers", "0", *ONE),
        ("eval", "masks.jsonl", "scores", "result.json"),
        ("--gpus-per-task=0",),
        4,
    ),
)  # fmt: skip


def run(folder: Path, *words: str | Path, out: str | None = None) -> bytes:
    """One command of sbtools; what it prints is kept in `out` as well."""
    done = sbtools(*words, cwd=folder, timeout=3600)
    if done.returncode:
        raise RuntimeError(f"sbtools {' '.join(map(str, words))}: {done.stderr.decode()}")
    if out is not None:
        (folder / out).write_bytes(done.stdout)
    return done.stdout


def prepare(folder: Path, clips: int) -> None:
    """folder/clips, and folder/run: a small CLIP that was trained on a few others."""
    from sbtools.models import clip
    from sbtools.models.arch import named

    folder.mkdir()
    make_clips(folder / "clips", clips, frames=12)
    clip.save(clip.random(named("tiny")[0], 0), str(folder / "tiny.safetensors"))
    run(folder, "index", make_clips(folder / "few", 8, frames=12), out="some.jsonl")
    run(folder, "train", "--weights", "tiny.safetensors", *TRAIN, "-o", "run", "some.jsonl")


def in_one_process(folder: Path) -> None:
    """The chain without shards, workers and Slurm."""
    alone = ("--workers", "0")
    run(folder, "index", *alone, "clips", out="clips.jsonl")
    segment = ("segment", *alone, "--segmenter", "grabcut", *FRAMES, "-o", "masks", "clips.jsonl")
    run(folder, *segment, out="masks.jsonl")
    run(folder, "mask", *alone, "--mode", "bg", "-o", "masked", "masks.jsonl", out="masked.jsonl")
    scores = ("--scores", "scores", "-o", "result.json")
    run(folder, "eval", "run", "masks.jsonl", *alone, *ONE, *scores)


def differences(ours: Path, theirs: Path, stages: Sequence[Stage] = STAGES) -> Iterator[str]:
    """What is lost, there twice, or different between two folders in which the chain was run."""
    wanted = ids((theirs / "clips.jsonl").read_bytes())
    for stage in stages:
        try:
            mine, other = digest(ours / stage.store), digest(theirs / stage.store)
            if mine != other:
                yield f"{stage.store}: its digest is {mine}, not {other}"
        except RuntimeError as error:
            yield f"{stage.store}: {error}"
        if stage.out.endswith(".jsonl"):
            if ids((ours / stage.out).read_bytes()) != wanted:
                yield f"{stage.out}: other clips, or in another order"
        elif _metrics(ours / stage.out) != _metrics(theirs / stage.out):
            yield f"{stage.out}: other metrics than {_metrics(theirs / stage.out)}"


def digest(store: Path) -> str:
    """What `check --digest` prints of its content; RuntimeError for a clip that is there twice."""
    return run(store.parent, "check", "--digest", store.name).split()[0].decode()


def one_digest(folder: Path) -> str:
    """Of all three stores together."""
    told = " ".join(digest(folder / store) for store in STORES)
    return hashlib.sha256(told.encode()).hexdigest()


def _metrics(result: Path) -> object:
    return json.loads(result.read_text())["metrics"]
