"""From a frame to the square that a network of images takes, as torchvision does it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sbtools.video.base import Image


@dataclass(frozen=True)
class Framing:
    """Resizing by Pillow, and the square in the middle: called with uint8 [H, W, 3].

    side    pixels of the square
    resize  what the shorter side becomes first; with `squash` both sides do
    how     bilinear or bicubic, both with Pillow's smoothing

    Equals torchvision.transforms.Resize and CenterCrop on images of Pillow.
    """

    side: int
    resize: int
    squash: bool = False
    how: str = "bilinear"

    def __call__(self, frame: Image) -> NDArray[np.uint8]:
        from PIL import Image as Pillow

        width, height = self._size(frame.shape[1], frame.shape[0])
        picture = Pillow.fromarray(np.ascontiguousarray(frame))
        if picture.size != (width, height):
            picture = picture.resize((width, height), Pillow.Resampling[self.how.upper()])
        left, top = (round((length - self.side) / 2) for length in (width, height))
        return np.asarray(picture.crop((left, top, left + self.side, top + self.side)))

    def _size(self, width: int, height: int) -> tuple[int, int]:
        if self.squash:
            return self.resize, self.resize
        longer = int(self.resize * max(width, height) / min(width, height))
        return (self.resize, longer) if width <= height else (longer, self.resize)
