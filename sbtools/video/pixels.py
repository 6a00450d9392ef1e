"""From decoded pictures to RGB arrays as they are displayed."""

from __future__ import annotations

from typing import cast

import av
import cv2
from av.video.reformatter import Interpolation, VideoReformatter

from sbtools.errors import ClipError
from sbtools.video.base import Image
from sbtools.video.memory import require_memory, told_as_memory


class Converter:
    """Turns the pictures of one stream into RGB uint8 [H, W, 3], upright, all of one size.

    By way of BGR, as OpenCV: from 10 bits swscale rounds RGB otherwise than BGR.

    The display matrix of the first picture is applied to all, to the nearest quarter turn and
    without mirroring, as OpenCV does; sample aspect ratios are not applied. ClipError("mismatch")
    for a picture of another size than the first.
    """

    def __init__(self) -> None:
        self.rotation = 0
        self.coded: tuple[int, int] | None = None
        self._reformatter = VideoReformatter()

    @property
    def size(self) -> tuple[int, int] | None:
        """Displayed width and height; None before the first picture."""
        if self.coded and self.rotation in (90, 270):
            return self.coded[1], self.coded[0]
        return self.coded

    def look(self, frame: av.VideoFrame) -> None:
        """Learn the size and the rotation from the first picture, compare those that follow."""
        size = frame.width, frame.height
        if self.coded is None:
            self.coded = size
            turn = -frame.rotation % 360  # FFmpeg counts counter-clockwise
            self.rotation = turn if turn % 90 == 0 else 0
        elif size != self.coded:
            raise ClipError(
                "mismatch",
                f"the frame size changes within the file, from {self.coded[0]}x{self.coded[1]} "
                f"to {size[0]}x{size[1]}",
            )

    def rgb(self, frame: av.VideoFrame) -> Image:
        """The picture as it is displayed; ClipError("memory" or "unreadable") when that fails."""
        self.look(frame)
        try:
            with told_as_memory("a frame"):
                return self._upright(frame)
        except (av.FFmpegError, ValueError, cv2.error) as error:
            require_memory(frame.width * frame.height)
            raise ClipError("unreadable", f"{frame.format.name} cannot become RGB") from error

    def _upright(self, frame: av.VideoFrame) -> Image:
        plain = self._reformatter.reformat(
            frame, format="bgr24", interpolation=Interpolation.BICUBIC, threads=1
        )
        image = cv2.cvtColor(plain.to_ndarray(), cv2.COLOR_BGR2RGB)
        if self.rotation:
            image = cv2.rotate(image, _TURNS[self.rotation])
        return cast(Image, image)


_TURNS = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}
