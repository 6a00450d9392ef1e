"""What methods share that change some clips of a batch, or mix them with one another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sbtools.errors import UsageError
from sbtools.methods.base import Batch, Method
from sbtools.rng import Draws

Extent = tuple[slice, slice]
"""Rows and columns."""


class Augmenting(Method):
    """Each clip is changed with probability p; the others stay as they are, bit for bit."""

    def __init__(self, p: float) -> None:
        super().__init__()
        require_probability(self.name, p=p)
        self.p = p
        self._mixed = self._left = 0

    def drawn(self, ids: Sequence[str], rng: Draws) -> list[int]:
        """The places of the clips that draw a number below p: by clip and epoch."""
        if self.p == 1:
            return list(range(len(ids)))
        return [n for n, id in enumerate(ids) if rng.clip(id, self.name).random() < self.p]

    def count(self, mixed: int, clips: int) -> None:
        """So many of the clips are changed."""
        self._mixed += mixed
        self._left += clips - mixed

    def tally(self) -> dict[str, int]:
        """How many clips were mixed since the last call, and how many were not."""
        told = {"mixed": self._mixed, "left": self._left} if self.p else {}
        self._mixed = self._left = 0
        return told


class Mixing(Augmenting):
    """Clips mixed with others of the batch, in an order that is drawn for the batch.

    A clip that is alone in its batch stays as it is. Over several ranks each mixes within its own
    share.
    """

    def __init__(self, p: float) -> None:
        super().__init__(p)
        self.mixes = p > 0

    def augment(self, batch: Batch, rng: Draws) -> Batch:
        """The batch with its clips mixed, and its targets where they follow the pixels."""
        ids = batch["id"]
        if not self.p or not ids:
            return batch
        places = self.drawn(ids, rng) if len(ids) > 1 else []
        order = self.others(ids, rng)
        wanted = self.wanted(batch, places, [order[place] for place in places])
        places = [place for place, good in zip(places, wanted, strict=True) if good]
        self.count(len(places), len(ids))
        if not places:
            return batch
        return self.mixed(batch, rng, places, [order[place] for place in places])

    def others(self, ids: Sequence[str], rng: Draws) -> list[int]:
        """For each place of the batch that of the clip it may be mixed with."""
        order: list[int] = rng.batch(f"{self.name} order").permutation(len(ids)).tolist()
        return order

    def wanted(self, batch: Batch, places: Sequence[int], others: Sequence[int]) -> list[bool]:
        """Which of the clips at these places can be mixed with those at the others."""
        return [True] * len(places)

    def mixed(
        self, batch: Batch, rng: Draws, places: Sequence[int], others: Sequence[int]
    ) -> Batch:
        """The batch with the clips at these places mixed with those at the others."""
        raise NotImplementedError


class Sharing(Mixing):
    """Mixing in shares of Beta(alpha, alpha), of which the labels have as much as the pixels."""

    def __init__(self, p: float, alpha: float) -> None:
        super().__init__(p)
        require_above(self.name, alpha=alpha)
        self.alpha = alpha

    def settings(self) -> dict[str, Any]:
        return {"p": self.p, "alpha": self.alpha}


def follow(
    target: Tensor, places: Sequence[int], others: Sequence[int], kept: float | Sequence[float]
) -> Tensor:
    """Targets [B, K] of clips that keep a share of themselves: a number, or one for each, [n]."""
    found = target.clone()
    share = torch.as_tensor(kept, dtype=target.dtype, device=target.device).reshape(-1, 1)
    found[places] = share * target[places] + (1 - share) * target[others]
    return found


def shares(masks: Tensor) -> list[float]:
    """How much of each clip its mask takes: bool [B, ...]."""
    if masks.device.type == "cpu":  # numpy counts ten times as fast
        return [float(np.count_nonzero(mask) / mask.size) for mask in masks.numpy()]
    return [count / masks[0].numel() for count in masks.flatten(1).count_nonzero(1).tolist()]


def paste(into: Tensor, front: Tensor, mask: Tensor, where: Extent | None = None) -> None:
    """into[mask] = front[mask], of a clip [T, 3, H, W] and its mask bool [T, H, W] or [H, W];
    where: the mask's extent, if it is known."""
    rows, columns = where or extent(mask)
    area, weight = into[:, :, rows, columns], mask[..., rows, columns].unsqueeze(-3).to(into.dtype)
    torch.lerp(area, front[:, :, rows, columns], weight, out=area)  # twice as fast as where


def extent(mask: Tensor) -> Extent:
    """The rows and columns of a mask [..., H, W] that has anything there; on a GPU, which it would
    hold up, all of them."""
    if mask.device.type != "cpu":
        return slice(None), slice(None)
    plane = np.any(mask.flatten(0, -3).numpy(), axis=0) if mask.ndim > 2 else mask.numpy()
    found = []
    for axis in (1, 0):
        places = np.flatnonzero(plane.any(axis))
        found.append(slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0))
    return found[0], found[1]


def replaced(video: Tensor, places: Sequence[int], others: Iterable[Tensor]) -> Tensor:
    """The clips [B, T, 3, H, W], those at these places by others, each copied once."""
    found, instead = torch.empty_like(video), dict(zip(places, others, strict=True))
    for place, clip in enumerate(video):
        found[place].copy_(instead.get(place, clip))
    return found


def require_probability(method: str, **values: float) -> None:
    """UsageError unless all are 0 to 1."""
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise UsageError(f"method {method}: {name} is a probability, 0 to 1, not {value:g}")


def require_above(method: str, **values: float) -> None:
    """UsageError unless all are above 0, and finite."""
    for name, value in values.items():
        if not (isfinite(value) and value > 0):
            raise UsageError(f"method {method}: {name} is above 0, not {value:g}")
