"""Scores of several views of a record, averaged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from sbtools.evaluate.choice import build
from sbtools.evaluate.predictor import Predictor


class Given:
    """A subject whose scores are given."""

    def __init__(self, scores: Tensor) -> None:
        self.modules, self.model = [], self
        self.kind, self.classes = "logits", [*"abc"]
        self.scores = scores

    def test_classes(self) -> None:
        return None

    def predict(self, batch: dict[str, Any], classes: None) -> Tensor:
        return self.scores[[int(id) for id in batch["id"]]]


@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_views_are_averaged_as_asked(average: str) -> None:
    """Two records of two views each, then one of one view; in float64 by hand."""
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)) * 3
    views = build(["plain"], None, "normal", "imagenet")
    evaluated: Any = Given(logits)
    made = Predictor(evaluated, views, torch.device("cpu"), "float32", 3, 0, 2, average)

    def asked(*ids: int, each: int) -> NDArray[np.float32]:
        batch = {"id": [str(id) for id in ids], "video": torch.zeros(len(ids), 1)}
        return made(batch, each=each).scores["plain"]

    exact = logits.double().numpy()
    found = np.concatenate([asked(0, 1, 2, 3, each=2), asked(4, each=1)])
    if average == "probabilities":
        shares = np.exp(exact) / np.exp(exact).sum(1, keepdims=True)
        expected = np.log([*shares[:4].reshape(2, 2, 3).mean(1), shares[4]])
        assert made.kind == "log-probabilities"
    else:
        expected = np.concatenate([exact[:4].reshape(2, 2, 3).mean(1), exact[4:]])
        assert made.kind == "logits"
    np.testing.assert_allclose(found, expected, atol=1e-6)
