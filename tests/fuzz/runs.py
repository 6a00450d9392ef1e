"""Hostile checkpoints, and kills and I/O errors while models are judged."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.fuzz.case import Case, Ran, Step, copied, hurt, pick
from tests.fuzz.corpus import EVAL, TRAIN
from tests.fuzz.texts import VALUES, mutated


def checkpoints(corpus: Path, work: Path, draws: np.random.Generator) -> Case:
    """A run whose checkpoint was changed, by bytes or by what is in it, its .sha256 right."""
    copied(corpus, work, "run", "clips", "clips.jsonl")
    last = work / "run" / "last.pt"
    how = str(pick(draws, ["bytes", "inner", "inner", "inner", "run.json", "sum"]))
    if how == "bytes":
        what = hurt(last, draws)
    elif how == "inner":
        what = _inner(last, draws)
    elif how == "sum":
        what = hurt(sorted((work / "run").glob("*.sha256"))[0], draws)
    else:
        text, what = mutated(json.loads((work / "run" / "run.json").read_bytes()), draws)
        (work / "run" / "run.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    steps = [
        Step([*EVAL, "-o", "r.json", "run", "clips.jsonl"]),
        Step([*TRAIN, "--epochs", "2", "-o", "run", "clips.jsonl"]),
    ]
    clean = json.loads((corpus / "of-run.json").read_bytes())["views"]

    def same(folder: Path, ran: list[Ran]) -> str | None:
        if how == "inner" or ran[0].status != 0:
            return None
        found = json.loads((folder / "r.json").read_bytes())["views"]
        return None if found == clean else "a changed checkpoint was taken, and gave other numbers"

    return Case(steps, f"{how}: {what}", same=same)


def _inner(file: Path, draws: np.random.Generator) -> str:
    """One value within the checkpoint is another, and its digest is that of the new file."""
    held: Any = torch.load(file, weights_only=True)
    inner, owner, way = held, held, []
    for _ in range(int(draws.integers(1, 5))):
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        if not keys:
            break
        key = keys[int(draws.integers(len(keys)))]
        way.append(key)
        owner = inner
        if not isinstance(inner[key], dict | list) or len(way) == 4:
            break
        inner = inner[key]
    if way and not isinstance(owner, tuple):
        odd = [torch.zeros(()), torch.zeros(2, 2), torch.full((3,), torch.nan), *VALUES[:12]]
        owner[way[-1]] = pick(draws, odd)
    torch.save(held, file)
    summed = Path(f"{file}.sha256")
    if summed.exists():
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        old = summed.read_text().split()[0]
        summed.write_text(summed.read_text().replace(old, digest))
    return f"at {way}"


def kills(corpus: Path, work: Path, draws: np.random.Generator) -> Case:
    """eval and card killed at any time; the same command again gives what it gives alone."""
    copied(corpus, work, "clips", "masks", "masks.jsonl", "mine.py")
    after = float(draws.uniform(0.02, 1.5))
    if draws.integers(2):
        words = ["card", "mine:mean", *EVAL[1:], "-o", "card.html", "masks.jsonl"]
        name, wanted = "card.json", corpus / "card.json"
    else:
        words = [*EVAL, "--model", "mine:mean", "--views", "plain,bg", "--scores", "scores",
                 "-o", "result.json", "masks.jsonl"]  # fmt: skip
        name, wanted = "result.json", corpus / "result.json"
    clean = json.loads(wanted.read_bytes())["views"]

    def same(folder: Path, ran: list[Ran]) -> str | None:
        if ran[1].status not in (0, 2):
            return (
                f"the same command again ended with {ran[1].status}: {ran[1].err.decode()[-300:]}"
            )
        if not (folder / name).exists():
            return f"no {name} after a kill and the same command again"
        found = json.loads((folder / name).read_bytes())["views"]
        left = [file.name for file in folder.rglob("*.tmp*")]
        if left:
            return f"temporary files are left: {left}"
        return None if found == clean else "other numbers after a kill"

    return Case(
        [Step(words, killed_after=after), Step(words)], f"{name} after {after:.2f} s", same=same
    )
