"""Settings of a small run with everything in it, and whether two runs came to the same end."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sbtools.train.checkpoint import read
from tests.train.faking import (
    settings,
)

CLIPS, BATCH, EPOCHS = 17, 5, 3
EACH = 4
STEPS = EACH * EPOCHS
TIMES = {"seconds", "clips_per_second", "waiting", "peak_memory"}


FULL = settings(
    method="two", ema=0.8, select="val", clip_grad=1.0, accumulate=2, warmup=1.0,
    model_settings={"dropout": 0.3},
)  # fmt: skip


def steady(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in TIMES}


def lines(run: str) -> list[dict[str, Any]]:
    return [steady(json.loads(line)) for line in Path(run, "log.jsonl").read_text().splitlines()]


def same(one: Any, other: Any) -> bool:
    """Equal bit for bit, in whatever is nested."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def require_same_end(run: str, other: str) -> None:
    for name in ("last.pt", "best.pt"):
        one, two = (read(os.path.join(place, name))[0] for place in (run, other))
        for part in ("model", "method", "optimizer", "ema", "spec"):
            assert same(one[part], two[part]), (name, part)
    assert lines(run) == lines(other)
