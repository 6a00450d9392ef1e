"""Held-out clips: which classes they are given, and what that leaves behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from sbtools.methods import build as build_method
from sbtools.objectives import build as build_objective
from sbtools.train.group import Ranks
from sbtools.train.step import Step
from sbtools.train.validate import correct, validate
from tests.train.faking import CLASSES, Fake

RANKS = Ranks(0, 1, torch.device("cpu"))


def test_correct_by_hand() -> None:
    scores = torch.tensor([[1.0, 3, 2], [3, 1, 2], [2, 2, 1], [1, 1, 1], [1, 2, 2]])
    found = correct(scores, torch.tensor([1, 2, 0, 1, 0]))
    assert found.tolist() == pytest.approx([1, 0, 1 / 2, 1 / 3, 0])


def test_a_constant_model_is_at_chance() -> None:
    labels = torch.arange(30) % 10
    assert float(correct(torch.zeros(30, 10), labels).mean()) == pytest.approx(0.1)


def made(dropout: float = 0.0) -> Step:
    torch.manual_seed(0)
    model = Fake(CLASSES, frames=2, dropout=dropout)
    return Step(model, build_method("none"), build_objective("infonce")).train()


def batches(count: int = 3, size: int = 4) -> list[tuple[dict[str, Any], list[str]]]:
    drawn = torch.Generator().manual_seed(1)
    found: list[tuple[dict[str, Any], list[str]]] = []
    for number in range(count):
        video = torch.randn(size, 2, 3, 8, 8, generator=drawn)
        label = torch.randint(len(CLASSES), (size,), generator=drawn)
        ids = [f"{number} {clip}" for clip in range(size)]
        found.append(({"video": video, "label": label, "id": ids}, ["lost"] * number))
    return found


def test_share_of_the_clips() -> None:
    step, given = made(dropout=0.5), batches()
    empty = {"video": torch.zeros(0, 2, 3, 8, 8), "label": torch.zeros(0).long(), "id": []}
    found = validate(step, [*given, (empty, ["lost"])], RANKS)
    step.eval()
    hits = 0
    for batch, _ in given:
        scores = step.model.scores(batch["video"])
        hits += sum(
            int(row.argmax()) == label for row, label in zip(scores, batch["label"], strict=True)
        )
    assert found and (found.hits, found.clips, found.failed) == (hits, 12, 4)
    assert found.top1 == pytest.approx(100 * hits / 12)
    assert 0 < hits < 12


def test_leaves_the_model_in_training_and_without_gradients() -> None:
    step = made(dropout=0.5)
    modes: list[bool] = []
    made_of: list[Any] = []
    plain, classes = step.model.logits, step.model.test_classes

    def noted(encoded: Any, classes: Any = None) -> Tensor:
        modes.append(step.model.training)
        return plain(encoded, classes)

    def counted() -> Any:
        made_of.append(1)
        return classes()

    step.model.logits = noted  # type: ignore[method-assign]
    step.model.test_classes = counted  # type: ignore[method-assign]
    validate(step, batches(), RANKS)
    assert modes == [False] * 3 and step.model.training and step.model.drop.training
    assert len(made_of) == 1
    assert all(p.grad is None for p in step.parameters())


def test_goes_through_what_the_method_represents() -> None:
    """Features turned round are answered the other way round."""
    step = made()
    found = validate(step, batches(), RANKS)
    step.method.represent = lambda e: replace(e, features=-e.features)  # type: ignore[method-assign]
    other = validate(step, batches(), RANKS)
    hits = 0.0
    for batch, _ in batches():
        if len(batch["id"]):
            scores = -step.model.scores(batch["video"])
            hits += float((scores.argmax(1) == batch["label"]).sum())
    assert found and other and other.hits == hits != found.hits


def test_stops_between_batches_and_has_no_result() -> None:
    step, asked = made(), []

    def stop() -> bool:
        asked.append(1)
        return len(asked) == 2

    assert validate(step, batches(), RANKS, stop) is None
    assert len(asked) == 2 and step.model.training


def test_nothing_could_be_read() -> None:
    found = validate(made(), [], RANKS)
    assert found and found.top1 is None
