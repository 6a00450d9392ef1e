"""Showing batches to a model in every view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sbtools.device import Halving, autocast
from sbtools.errors import UsageError
from sbtools.evaluate.evaluated_model import EvaluatedModel
from sbtools.evaluate.views import View
from sbtools.job import never
from sbtools.models.base import full
from sbtools.models.outputs import Batch, represented
from sbtools.protocols import AVERAGES
from sbtools.rng import Draws
from sbtools.store.band_views import split
from sbtools.store.rows_reader import unusable

LOG_PROBABILITIES = "log-probabilities"
Observer = Callable[[str, Batch, Batch], None]
SCORES = "scores"
"""What a view shows is looked at with these, [R, K]."""


class Halted(Exception):
    """Raised between two views of a batch, when the run is to stop."""


@dataclass
class Predictions:
    """What the model said of some records: by view, a row or a number each.

    scores: float32 [R, K], or [R, ...] of a predictor that gives something else. covered, area: of
    masked views, 0 to 1. lacks: by view, of rows that cannot be shown in it, why; what else is said
    of them there means nothing. features: float32 [R, D], of the view whose features are kept.
    """

    scores: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    covered: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    area: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    lacks: dict[str, dict[int, str]] = field(default_factory=dict)
    features: NDArray[np.float32] | None = None


class Predictor:
    """A model on its device, and the views that it is shown; text features are made once.

    clips: how many items, one after another, are views of one record at most: their probabilities
    are averaged (ViFi-CLIP's multi-view test sums the softmax of each), or, where `average` says
    so, their logits. batch: clips of one call. stop: asked before each view. keep: the view whose
    features, what the last layer sees, are kept, averaged over those items.
    """

    stage, gives = "eval", "scores"

    def __init__(
        self,
        evaluated: EvaluatedModel,
        views: Sequence[View],
        device: torch.device,
        precision: str = "auto",
        batch: int = 32,
        seed: int = 0,
        clips: int = 1,
        average: str = AVERAGES[0],
        keep: str | None = None,
    ) -> None:
        self.evaluated, self.views, self.device = evaluated, views, device
        self.precision, self.clips, self.keep = precision, clips, keep
        self.stop: Callable[[], bool] = never
        self._themselves, _ = split([view.name for view in views])
        self._shares = clips > 1 and average == AVERAGES[0]
        self.draws = Draws(seed)
        for module in evaluated.modules:
            module.to(device).eval()
        self._halving = Halving(batch, "clips", "--batch")
        self._classes: tuple[Any] | None = None
        self._features: list[Tensor] = []

    @property
    def kind(self) -> str:
        """What the scores are: logits, or log-probabilities where these were averaged."""
        return LOG_PROBABILITIES if self._shares else self.evaluated.model.kind

    def forget_classes(self) -> None:
        """Encode texts anew when they are next needed: the model's classes have changed."""
        self._classes = None

    def __call__(
        self, batch: Batch, look: Observer | None = None, each: int | None = None
    ) -> Predictions:
        """The scores of a batch's records in every view.

        `batch` holds whole records, `each` items of one after another, by default `clips`. `look`
        is called with each view's name, the batch, and the batch as it is shown, with its SCORES;
        not of views under other masks. Raises Halted where `stop` turned true.
        """
        found, each = Predictions(), each or self.clips
        with torch.no_grad():
            for view in self.views:
                if self.stop():
                    raise Halted
                shown = view.apply(batch, self.draws)
                found.scores[view.name] = self.averaged(self._predicted(shown, view.name), each)
                if self._features:
                    found.features = mean_of(torch.cat(self._features), each)
                    self._features = []
                for name, values in view.coverage(batch).items():
                    rows = values.float().view(-1, each).mean(1).cpu().numpy()
                    getattr(found, name)[view.name] = rows
                lacks = enumerate(view.lacks(batch))
                found.lacks[view.name] = {item // each: why for item, why in lacks if why}
                if look is not None and view.name in self._themselves:
                    look(view.name, batch, {**shown, SCORES: found.scores[view.name]})
        return found

    def _predicted(self, shown: Batch, view: str) -> Tensor:
        def part(at: Sequence[int]) -> Tensor:
            given = {**_cut(shown, at[0], at[-1] + 1), "draws": self.draws}
            return self.answer(given, view == self.keep).float().cpu()

        return torch.cat(list(self._halving(range(len(shown["id"])), part)))

    def answer(self, part: Batch, keep: bool) -> Tensor:
        """What is asked of a part of a batch: the scores [B, K]; `keep` its features too."""
        with autocast(self.device, self.precision):
            if self._classes is None:
                self._classes = (self.evaluated.model.test_classes(),)
            if keep and self.evaluated.encodes:
                scores = self._keeping(part, self._classes[0])
            else:
                scores = self.evaluated.predict(part, self._classes[0])
        expected = (len(part["id"]), len(self.evaluated.model.classes))
        if tuple(scores.shape) != expected:
            raise UsageError(
                f"the model gives scores {list(scores.shape)} for {expected[0]} clips and "
                f"{expected[1]} classes: name its own --classes"
            )
        return scores

    def unusable(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """bool [R]: which rows are of clips that have failed, as they are not numbers."""
        return unusable(rows)

    def _keeping(self, part: Batch, classes: Any) -> Tensor:
        """The scores, as `EvaluatedModel.predict` gives them; the features are kept."""
        model, video = self.evaluated.model, part["video"]
        encoded = represented(model, video, self.evaluated.represent)
        with torch.autocast(video.device.type, enabled=False):
            scores = full(model.logits(encoded, classes))
        if getattr(encoded, "entered", True):
            self._features.append(encoded.features.float().cpu())
        return scores

    def averaged(self, scores: Tensor, each: int) -> NDArray[np.float32]:
        """The scores [R, K] of records, of those [R * each, K] of their items."""
        if self._shares:
            scores = torch.log_softmax(scores.double(), -1)
            scores = scores.view(-1, each, scores.shape[-1]).logsumexp(1) - float(np.log(each))
        elif each > 1:
            scores = scores.double().view(-1, each, scores.shape[-1]).mean(1)
        return scores.float().numpy()


def mean_of(features: Tensor, each: int) -> NDArray[np.float32]:
    """The mean of features [R * each, ...] over the items of each record: [R, ...]."""
    if each > 1:
        features = features.double().unflatten(0, (-1, each)).mean(1)
    return features.float().numpy()


def _cut(batch: Batch, first: int, end: int) -> Batch:
    """Some clips of a batch, by place."""
    count = len(batch["id"])

    def cut(value: Any) -> Any:
        each = isinstance(value, (Tensor, list)) and len(value) == count
        return value[first:end] if each else value

    return {name: cut(value) for name, value in batch.items()}
