"""Class embeddings of a batch, encoded together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from sbtools.errors import SbtoolsError
from sbtools.models.base import VideoModel, full

WANTED = ("none", "batch", "all")


@dataclass(frozen=True)
class ClipTexts:
    """One text for each class that a clip holds a share of, P in all; P is B where none is mixed.

    embeddings: float [P, D], in the template that the clip drew, not normalised. clips: int64 [P],
    places in the batch. classes: int64 [P]. shares: float [P], above 0, of the class in the clip.
    """

    embeddings: Tensor
    clips: Tensor
    classes: Tensor
    shares: Tensor


class Texts:
    """The class embeddings that objective and methods ask for, by one pass of the text tower.

    wanted: of "batch" and "all", what may be asked for. SbtoolsError for what was not wanted, since
    it would cost every step a pass that nobody had declared.
    """

    def __init__(
        self,
        model: VideoModel,
        batch: dict[str, Any],
        wanted: frozenset[str],
        precise: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        self.wanted = wanted
        self._model, self._batch, self._precise = model, batch, precise

    def encode(self) -> None:
        """Encode what is wanted, if it is not yet."""
        if self.wanted:
            _ = self._encoded

    @property
    def of_clips(self) -> ClipTexts:
        """The texts of the clips' classes."""
        clips, classes, shares = self._pairs
        return ClipTexts(self._of("batch"), clips, classes, shares)

    @property
    def of_classes(self) -> Tensor:
        """Float [K, D], every class in a template drawn for it."""
        return self._of("all")

    def _of(self, what: str) -> Tensor:
        if what not in self.wanted:
            raise SbtoolsError(
                f"class embeddings were asked for, but no objective or phase declares texts={what}"
            )
        return self._encoded[what]

    @cached_property
    def _pairs(self) -> tuple[Tensor, Tensor, Tensor]:
        target: Tensor = self._batch["target"]
        clips, classes = target.nonzero(as_tuple=True)
        return clips, classes, target[clips, classes]

    @cached_property
    def _encoded(self) -> dict[str, Tensor]:
        asks = {what: self._asked(what) for what in WANTED if what in self.wanted}
        labels = torch.cat([classes for classes, _ in asks.values()])
        drawn = self._batch.get("draws") is not None
        picks = torch.cat([picks for _, picks in asks.values()]) if drawn else None
        with self._precise():
            found = full(self._model.class_embeddings(labels, picks))
        parts = found.split([len(classes) for classes, _ in asks.values()])
        return dict(zip(asks, parts, strict=True))

    def _asked(self, what: str) -> tuple[Tensor, Tensor]:
        """Classes int64 [N], and what chooses their templates, float64 [N] in [0, 1)."""
        device, draws = self._batch["label"].device, self._batch.get("draws")
        if what == "all":
            every = torch.arange(len(self._model.classes), device=device)
            drawn = draws.batch("template").random(len(every)) if draws else [0.0] * len(every)
            return every, torch.as_tensor(drawn, dtype=torch.float64).to(device)
        clips, classes, _ = self._pairs
        ids = self._batch["id"]
        each = [draws.clip(id, "template").random() if draws else 0.0 for id in ids]
        return classes, torch.tensor(each, dtype=torch.float64).to(device)[clips]
