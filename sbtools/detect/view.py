"""The clip at working resolution: small frames, a bounded number of them at a time."""

from __future__ import annotations

from collections import OrderedDict

import cv2
import numpy as np
from numpy.typing import NDArray

from sbtools.detect.base import Clip, Image

GREY_AREA = 240 * 180
ENLARGED = 4.0


class View:
    """Copies of a clip's frames, of about `area` pixels, the last `keep` of them held.

    `scale` is pixels of the copy per pixel of the displayed frame; tiny frames are enlarged, at
    most fourfold, since cascades, people detectors and flow need details of some pixels' size.
    """

    def __init__(self, clip: Clip, area: int = 320 * 240, keep: int = 16) -> None:
        self.clip, self.keep = clip, keep
        self.scale = min(ENLARGED, (area / (clip.height * clip.width)) ** 0.5)
        self.height, self.width = self._sized(self.scale)
        small = min(1.0, (GREY_AREA / (self.height * self.width)) ** 0.5)
        self.grey_size = max(1, round(self.width * small)), max(1, round(self.height * small))
        self._held: OrderedDict[int, tuple[Image, Image]] = OrderedDict()

    def rgb(self, number: int) -> Image:
        """The frame, uint8 [h, w, 3], RGB."""
        return self._small(number)[0]

    def grey(self, number: int) -> Image:
        """The frame's luma for motion estimation: uint8 [grey_size[1], grey_size[0]]."""
        return self._small(number)[1]

    def lab(self, number: int) -> Image:
        """The frame in CIE Lab, uint8 [h, w, 3], as OpenCV scales it."""
        return np.asarray(cv2.cvtColor(self.rgb(number), cv2.COLOR_RGB2LAB), np.uint8)

    def _sized(self, scale: float) -> tuple[int, int]:
        return max(1, round(self.clip.height * scale)), max(1, round(self.clip.width * scale))

    def _small(self, number: int) -> tuple[Image, Image]:
        if number not in self._held:
            rgb = shrink(self.clip.frame(number), (self.width, self.height))
            grey = shrink(np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)), self.grey_size)
            self._held[number] = rgb, grey
            if len(self._held) > self.keep:
                self._held.popitem(last=False)
        self._held.move_to_end(number)
        return self._held[number]


def shrink(image: NDArray[np.uint8], size: tuple[int, int]) -> Image:
    """The image at `size` (width, height), averaged over areas; never the image itself."""
    if image.shape[1::-1] == size:
        return image.copy()
    smaller = size[0] <= image.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
