"""Telling a lack of memory from a damaged file: FFmpeg and OpenCV report both alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

from sbtools.errors import ClipError

FRAMES, BYTES_OF_PIXEL = 16, 1.5
"""What a decoder may hold: the pictures that others refer to, as planes of 4:2:0."""
LEAST = 16 << 20
_OPENCV_NO_MEMORY = -4


def require_memory(pixels: int, what: str = "decode") -> None:
    """ClipError("memory") where there is no room for the pictures that a decoder holds.

    Asked before a file is opened, and where something did not decode: FFmpeg leaves pictures out,
    or calls the data invalid, when it gets no memory for them. Nothing is touched, so that it costs
    next to nothing.
    """
    try:
        np.empty(LEAST + int(FRAMES * BYTES_OF_PIXEL * pixels), np.uint8)
    except MemoryError as error:
        raise ClipError("memory", f"not enough memory to {what} it") from error


@contextmanager
def told_as_memory(what: str) -> Iterator[None]:
    """Turn what OpenCV, NumPy and FFmpeg raise when they get no memory into ClipError("memory")."""
    try:
        yield
    except MemoryError as error:
        raise ClipError("memory", f"not enough memory for {what}") from error
    except cv2.error as error:
        if getattr(error, "code", None) != _OPENCV_NO_MEMORY:
            raise
        raise ClipError("memory", f"not enough memory for {what}") from error
