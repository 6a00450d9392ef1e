"""Features of the clips of the last steps, for losses that want more clips than a batch has."""

from __future__ import annotations

import torch
from torch import Tensor

from sbtools.models.outputs import Batch


class FeatureQueue:
    """The features of the last clips, without gradient, of all steps before that of a batch.

    A step adds its rows when the next one begins, each part of it once, however often it is asked.
    """

    def __init__(self, size: int, kept: Tensor | None = None) -> None:
        self._size, self._kept = size, kept
        self._parts: dict[tuple[str, ...], Tensor] = {}
        self._step: tuple[int, int] | None = None

    def before(self, batch: Batch, now: Tensor) -> Tensor:
        """The rows of the steps before, float [n, D]; those of this batch, `now`, come later."""
        step = (batch["draws"].epoch, batch["draws"].step)
        if step != self._step:
            self._kept, self._parts, self._step = self.rows(), {}, step
        self._parts[tuple(batch["id"])] = now.detach()[: self._size]
        kept = self._kept
        return now.detach()[:0] if kept is None or not len(kept) else kept

    def rows(self) -> Tensor:
        """What the next step finds: the newest rows, as many as there is room for."""
        kept = [] if self._kept is None else [self._kept]
        parts = [part.to(kept[0]) if kept else part for part in self._parts.values()]
        found = [rows for rows in (*reversed(parts), *kept) if len(rows)]
        return torch.cat(found)[: self._size].clone() if found else torch.zeros(0, 0)
