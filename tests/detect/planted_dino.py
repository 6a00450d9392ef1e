"""A GroundingDINO whose network is planted, and what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from sbtools.detect.base import Box
from sbtools.detect.grounding_dino import GroundingDinoDetector
from tests.detect.made import MadeClip

LOW = -9.0
OBJECTS = ["a baseball bat", "bat"]
"""With person and hand: [CLS] person . hand . baseball bat . bat . [SEP], counted from 0."""


def detector(weights: Path, **settings: Any) -> GroundingDinoDetector:
    return GroundingDinoDetector(str(weights), device="cpu", **settings)


def logit(score: float) -> float:
    return float(np.log(score / (1 - score)))


class Planted:
    """In the network's place: query k has the scores {token: score} and the box of plan[k].

    Boxes are (cx, cy, w, h) as shares, moved with each further caption; `texts` are the token
    numbers of every call.
    """

    def __init__(
        self,
        plan: Sequence[dict[int, float]],
        boxes: Sequence[Sequence[float]] | None = None,
        longest: int = 256,
    ) -> None:
        self.config = SimpleNamespace(max_text_len=longest)
        apart = [(0.1 + 0.08 * k, 0.5, 0.05, 0.2) for k in range(len(plan))]
        self.plan, self.boxes = plan, torch.tensor(boxes or apart)
        self.texts: list[list[int]] = []

    def logits(self, text: torch.Tensor) -> torch.Tensor:
        out = torch.full((len(self.plan), self.config.max_text_len), float("-inf"))
        out[:, : text.shape[-1]] = LOW
        for query, scores in enumerate(self.plan):
            for token, score in scores.items():
                out[query, token] = logit(score)
        return out

    def __call__(self, pixel_values: torch.Tensor, input_ids: torch.Tensor, **rest: Any) -> Any:
        assert len(pixel_values) == len(input_ids)
        self.texts += input_ids.tolist()
        count, shift = len(pixel_values), 0.03 * (len({*map(tuple, self.texts)}) - 1)
        return SimpleNamespace(
            logits=self.logits(input_ids[0]).expand(count, -1, -1),
            pred_boxes=(self.boxes + torch.tensor([shift, 0, 0, 0])).expand(count, -1, -1),
        )


def found(
    weights: Path, model: Any, objects: Sequence[str] = OBJECTS, frames: int = 1, **settings: Any
) -> list[Box]:
    """The boxes in blank frames, by a network that is planted."""
    maker = detector(weights, **settings)
    maker.__dict__["model"] = model
    blank = [np.zeros((60, 100, 3), np.uint8)] * frames
    return maker.detect(MadeClip(blank), objects)


def by_query(boxes: Sequence[Box]) -> dict[int, tuple[str, str]]:
    """Prompt and role of each query, which is told from where its box lies."""
    return {round((box.xyxy[0] + box.xyxy[2] - 20) / 16): (box.prompt, box.role) for box in boxes}


def flat(boxes: Sequence[Box]) -> list[Any]:
    """Boxes without their numbers, in an order that numbers do not decide."""
    return sorted((box.frame, box.role, box.prompt) for box in boxes)
