"""Sampling and crops against what the official codes draw: loader.json."""

from __future__ import annotations

import pytest

from tests.official import figures, ours

FIGURES = figures.read("loader")
RULES = ["vifi", "actionclip"]


@pytest.mark.parametrize("rule", RULES)
def test_frames(rule: str) -> None:
    for count, frames, expected in FIGURES[f"{rule}_training"].values():
        found = ours.training_frames(rule, count, frames, seed=count)
        figures.check({f"{count} {frames}": found}, {f"{count} {frames}": expected})
    for count, frames, expected in FIGURES[f"{rule}_test"].values():
        found = ours.test_frames(rule, count, frames)
        figures.check({f"{count} {frames}": found}, {f"{count} {frames}": expected})


@pytest.mark.parametrize("kind", ["multiscale5", "multiscale13"])
def test_training_crops(kind: str) -> None:
    for size, seed, expected in FIGURES[kind].values():
        found = ours.training_crop(kind, size, seed)
        figures.check({f"{size} {seed}": found}, {f"{size} {seed}": expected})


def test_third_crops() -> None:
    for size, number, expected in FIGURES["thirds"].values():
        found = ours.third_crop(size, number)
        figures.check({f"{size} {number}": found}, {f"{size} {number}": expected})
