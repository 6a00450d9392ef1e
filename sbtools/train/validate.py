"""How well the classes of held-out clips are named, while training goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sbtools.device import autocast
from sbtools.models.outputs import Batch, predicted
from sbtools.train.group import Ranks
from sbtools.train.step import Step


@dataclass(frozen=True)
class Validated:
    """top1 is the share of the clips, in percent; of classes that tie, each counts its part."""

    hits: float
    clips: int
    failed: int

    @property
    def top1(self) -> float | None:
        """None where no clip could be read."""
        return 100 * self.hits / self.clips if self.clips else None


def validate(
    step: Step,
    batches: Iterable[tuple[Batch, Any]],
    ranks: Ranks,
    stop: Callable[[], bool] | None = None,
) -> Validated | None:
    """Over the batches of all ranks: pairs of a batch and its failures.

    The module is in test mode meanwhile, and texts are encoded once. None when `stop`, asked
    before each batch on every rank, turned true.
    """
    hits, clips, failed = 0.0, 0, 0
    step.eval()
    try:
        with torch.no_grad(), autocast(ranks.device, step.precision):
            classes = step.model.test_classes()
            for batch, failures in batches:
                if stop and stop():
                    return None
                failed += len(failures)
                if len(batch["id"]):
                    video, represent = batch["video"], step.method.represent
                    scores = predicted(step.model, video, classes, represent)
                    hits += float(correct(scores, batch["label"]).sum())
                    clips += len(batch["id"])
    finally:
        step.train()
    hits, clips, failed = (
        sum(each) for each in zip(*ranks.all((hits, clips, failed)), strict=True)
    )
    return Validated(hits, clips, failed)


def correct(scores: Tensor, labels: Tensor) -> Tensor:
    """Of scores [B, K] and labels int64 [B]: 1, 0, or 1 / n where n classes share the highest."""
    best = scores == scores.amax(1, keepdim=True)
    return best.gather(1, labels[:, None])[:, 0].double() / best.sum(1)
