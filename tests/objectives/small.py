"""A model so small that its losses are worked out by hand: a linear map, and a table of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sbtools.models.base import Encoded, VideoModel, scaled_cosines
from sbtools.models.outputs import Outputs
from sbtools.models.recipe import Recipe
from sbtools.objectives import OBJECTIVES

OWN = [name for name in OBJECTIVES if name != "verb_noun"]
"""Objectives of this model; that of verbs and nouns is in tests/models/test_verb_noun.py."""


class Small(VideoModel):
    """K classes, M templates, D features of videos [B, 1, 3, 1, 1]."""

    name = "small"
    provides = frozenset({"texts", "cosine"})

    def __init__(self, classes: int = 3, width: int = 4, templates: int = 1, seed: int = 0) -> None:
        super().__init__()
        made = torch.Generator().manual_seed(seed)
        self.frames = 1
        self.recipe = Recipe()
        self.set_classes([f"class {k}" for k in range(classes)])
        self.weight = nn.Parameter(torch.randn(3, width, generator=made, dtype=torch.float64))
        shape = (templates, classes, width)
        self.texts_ = nn.Parameter(torch.randn(shape, generator=made, dtype=torch.float64))
        self.log_scale = nn.Parameter(torch.tensor(1.3, dtype=torch.float64))

    def encode(self, video: Tensor) -> Encoded:
        return Encoded(video.mean(dim=(1, 3, 4)) @ self.weight)

    def set_classes(self, classes: Sequence[str], texts: Sequence[str] | None = None) -> None:
        self.classes = list(classes)
        self.texts = list(texts or classes)

    def class_embeddings(self, labels: Tensor, picks: Tensor | None = None) -> Tensor:
        if picks is None:
            return self.texts_[0, labels]
        return self.texts_[(picks * len(self.texts_)).long(), labels]

    def test_classes(self) -> Tensor:
        return self.texts_[0]

    def logits(self, encoded: Encoded, classes: Any = None) -> Tensor:
        return scaled_cosines(self.logit_scale, encoded.features, classes)

    @property
    def logit_scale(self) -> Tensor:
        return self.log_scale.exp()

    def spec(self) -> dict[str, Any]:
        return {}


def batch(labels: list[int], seed: int = 1) -> dict[str, Any]:
    """Random clips with these labels."""
    made = torch.Generator().manual_seed(seed)
    video = torch.randn((len(labels), 1, 3, 1, 1), generator=made, dtype=torch.float64)
    ids = [f"clip {i}" for i in range(len(labels))]
    return {"video": video, "label": torch.tensor(labels), "id": ids}


def said(objective: Any, model: VideoModel, clips: dict[str, Any], target: Any = None) -> Tensor:
    """What an objective says of a model's outputs for clips; `target` [B, K] mixes them."""
    if target is None:
        target = nn.functional.one_hot(clips["label"], len(model.classes)).to(clips["video"])
    texts = frozenset({objective.texts}) - {"none"}
    loss: Tensor = objective(Outputs(model, {**clips, "target": target}, texts=texts), target)
    return loss
