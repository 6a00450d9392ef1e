"""The shapes and boxes of a stored clip, as the masking modes need them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sbtools.mask.equations import Regions, boxes_to_mask, mode_of, regions
from sbtools.store import StoredClip

Masks = NDArray[np.bool_]


class Shapes:
    """What a mode hides in each frame of a clip; places count along the store's frames."""

    def __init__(self, stored: StoredClip, mode: str) -> None:
        self.stored, self.mode = stored, mode
        self.needs = mode_of(mode).needs
        self.frames: list[int] = [int(number) for number in stored.frames]
        self._boxes: dict[tuple[int, str], list[list[float]]] = {}
        for box in stored.boxes:
            self._boxes.setdefault((box["frame"], box["role"]), []).append(box["xyxy"])

    def __len__(self) -> int:
        return len(self.frames)

    def regions(self, place: int, mode: str | None = None) -> Regions:
        """What is kept and what is painted in one frame: bool [H, W] each."""
        chosen = mode or self.mode
        masks = {name: self._mask(name, place) for name in mode_of(chosen).needs}
        return regions(chosen, **masks)

    def empty(self) -> Sequence[bool]:
        """For each frame, whether the mode finds nothing in it to go by.

        That is the person for bg and bg+obj, and what is to be hidden for the others.
        """
        if self.mode == "none":
            return [False] * len(self)
        return [
            not any(self._mask(name, p).any() for name in self._looked_for())
            for p in range(len(self))
        ]

    def effective(self) -> str:
        """The mode that comes to the same: bg+obj without any object is bg."""
        if self.mode == "bg+obj" and not self._any("object"):
            return "bg"
        if self.mode in ("obj-box", "obj-shape", "person-box") and all(self.empty()):
            return "none"
        return self.mode

    def _looked_for(self) -> tuple[str, ...]:
        return {"obj-box": ("object_box",), "obj-shape": ("object",)}.get(
            self.mode, ("person",) if self.mode != "person-box" else ("person", "person_box")
        )

    def _any(self, name: str) -> bool:
        return any(self._mask(name, place).any() for place in range(len(self)))

    def _mask(self, name: str, place: int) -> Masks:
        if not name.endswith("_box"):
            return self.stored.mask(name, place)
        found = self._boxes.get((self.frames[place], name.removesuffix("_box")), [])
        boxes = np.array(found, np.float64).reshape(-1, 4)
        mask: Masks = boxes_to_mask(boxes, self.stored.height, self.stored.width)
        return mask
