"""Valid inputs of every kind, made once by the commands themselves: what hostile ones are made of.

clips/              four videos under two labels          clips.jsonl
masks/              their masks                           masks.jsonl
pixels/             masked clips                          pixels.jsonl
mine.py             a model: mine:mean
scores/             its scores on masks.jsonl             result.json, other.json, card.html, .json
run/                a training of two epochs
list.txt            an annotation list of Kinetics' kind  options.toml
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.case import Step, run
from tests.making import make_clips

MODEL = '''
class Mean:
    """Scores of two classes from colours, so that every view gives others."""
    recipe, frames = {"size": 32}, 2

    def __init__(self, sign):
        self.sign = sign

    def __call__(self, video):
        return self.sign * video.mean((1, 2))[:, :2, 0]

def mean():
    return Mean(1)

def other():
    return Mean(-1)
'''

SEGMENT = ["segment", "--detector", "motion", "--segmenter", "grabcut", "--workers", "0",
           "--frames", "2"]  # fmt: skip
MASK = ["mask", "--mode", "bg", "--workers", "0"]
EVAL = ["eval", "--classes", "walk,wave", "--workers", "0", "--bootstrap", "50"]
TRAIN = ["train", "--set-model", "arch=tiny", "--lr", "1e-3", "--warmup", "0", "--batch", "2",
         "--frames", "2", "--workers", "0"]  # fmt: skip

STEPS = [
    Step(["index", "--workers", "0", "clips"], out="clips.jsonl"),
    Step([*SEGMENT, "-o", "masks", "clips.jsonl"], out="masks.jsonl"),
    Step([*MASK, "-o", "pixels", "masks.jsonl"], out="pixels.jsonl"),
    Step([*EVAL, "--model", "mine:mean", "--views", "plain,bg", "--scores", "scores",
          "-o", "result.json", "masks.jsonl"]),
    Step([*EVAL, "--model", "mine:other", "--views", "plain,bg", "-o", "other.json",
          "masks.jsonl"]),
    Step(["card", "mine:mean", *EVAL[1:], "-o", "card.html", "masks.jsonl"]),
    Step([*TRAIN, "--epochs", "2", "-o", "run", "clips.jsonl"]),
]  # fmt: skip


def make(folder: Path, start: Sequence[str]) -> Path:
    """Make the corpus; raises AssertionError where a command fails on valid input."""
    make_clips(folder / "clips", 4, frames=8)
    (folder / "mine.py").write_text(MODEL)
    (folder / "list.txt").write_text("walk/clip0.mp4 0\nwave/clip1.mp4 1\n")
    (folder / "options.toml").write_text(
        'frames = 2\nworkers = 0\nseed = 3\n[set]\nratio = "1:1"\n'
    )
    for step in STEPS:
        ran = run(step, folder, start)
        assert ran.status == 0, (step, ran)
    return folder
