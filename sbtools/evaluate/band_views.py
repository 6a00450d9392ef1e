"""Masked views under other masks: dilated, eroded, and of another store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from torch import Tensor

from sbtools.errors import UsageError
from sbtools.evaluate.masked import Mode
from sbtools.evaluate.views import Setup, View, need
from sbtools.loader.needs.other_store import reasons
from sbtools.mask.morphology import dilated, eroded, pixels_of
from sbtools.methods.base import Batch
from sbtools.store.band_views import DILATED, ERODED, OTHER, name_of

CHANGES: Mapping[str, Callable[[Tensor, int], Tensor]] = {DILATED: dilated, ERODED: eroded}
STORE = "store"
"""The need, and the beginning of what it brings."""


class Changed(Mode):
    """A view whose masks are dilated or eroded, people, objects and boxes alike.

    By `sbtools.mask.morphology.pixels_of` the shorter side of what the model is shown. Boxes that
    touch are eroded as one.
    """

    def __init__(self, view: str, kind: str, setup: Setup) -> None:
        super().__init__(view, setup)
        self.name, self._change = name_of(view, kind), CHANGES[kind]

    def shapes(self, batch: Batch) -> dict[str, Tensor]:
        pixels = pixels_of(min(batch["video"].shape[-2:]))
        return {name: self._change(mask, pixels) for name, mask in super().shapes(batch).items()}


class Stored(Mode):
    """A view by the masks of another store: batch["store_person"] and so on."""

    def __init__(self, view: str, setup: Setup, store: str) -> None:
        super().__init__(view, setup)
        self.name = name_of(view, OTHER)
        self._boxes = "boxes" in self.needs
        self.needs |= {STORE}
        self.settings = {STORE: {"store": store}}

    def shapes(self, batch: Batch) -> dict[str, Tensor]:
        return {name: need(batch, f"{STORE}_{name}", self.name) for name in self.masks}

    def lacks(self, batch: Batch) -> list[str]:
        if not batch["id"]:
            return []
        told = reasons(batch[f"{STORE}_lacks"].cpu().numpy())
        return [shapes or (boxes if self._boxes else "") for shapes, boxes in told]


def build(views: Iterable[View], store: str) -> list[View]:
    """The views beside those that are modes of masking; of another store where one is named.

    UsageError where none of them masks.
    """
    masked = [view for view in views if type(view) is Mode]
    if not masked:
        raise UsageError(
            "--mask-band needs a view that masks: give the records of sbtools segment, and among "
            "--views bg, bg+obj, obj-box, obj-shape or person-box"
        )
    made: list[View] = []
    for view in masked:
        made += [Changed(view.name, kind, view.setup) for kind in CHANGES]
        made += [Stored(view.name, view.setup, store)] if store else []
    return made
