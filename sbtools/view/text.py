"""Text in images: ASCII alone, cut to the room there is."""

from __future__ import annotations

import textwrap

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

FONT, BOLD = cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX
DOTS = "..."


def plain(text: str) -> str:
    """The text in printable ASCII; all else as an escape of Python's, such as \\xe9 for é."""
    shown = (c if " " <= c <= "~" else c.encode("unicode_escape").decode() for c in text)
    return "".join(shown)


def width_of(text: str, scale: float, bold: bool = False) -> int:
    """Pixels from the first to the last column of a line."""
    return cv2.getTextSize(text, BOLD if bold else FONT, scale, 1)[0][0] if text else 0


def shorten(text: str, room: int, scale: float, bold: bool = False) -> str:
    """The text, its middle replaced by dots as far as it takes to fit into `room` pixels."""
    if width_of(text, scale, bold) <= room:
        return text
    fits, most = 0, len(text)
    while fits < most:
        keep = (fits + most + 1) // 2
        if width_of(_ends(text, keep), scale, bold) <= room:
            fits = keep
        else:
            most = keep - 1
    return _ends(text, fits)


def _ends(text: str, keep: int) -> str:
    head = keep - keep // 2
    return text[:head] + DOTS + text[len(text) - keep // 2 :]


def lines_of(text: str, room: int, scale: float, most: int = 4) -> list[str]:
    """The text as at most `most` lines of `room` pixels; the last ends in dots if more is left."""
    columns = max(8, int(room / max(width_of("n" * 100, scale) / 100, 1)))
    return textwrap.wrap(text, columns, max_lines=most, placeholder=" " + DOTS)


def put(
    image: Image, text: str, at: tuple[int, int], scale: float, colour: Colour, bold: bool = False
) -> None:
    """Write a line in place; `at` is the left end of its baseline, (x, y)."""
    thickness = 2 if scale > 0.7 else 1
    cv2.putText(image, text, at, BOLD if bold else FONT, scale, colour, thickness, cv2.LINE_AA)


def label(image: Image, text: str, at: tuple[int, int], scale: float, colour: Colour) -> None:
    """Write a line on a dark ground in place; `at` is the top left corner, moved into the image."""
    (width, height), _ = cv2.getTextSize(text, FONT, scale, 1)
    pad = max(2, round(5 * scale))
    x = max(0, min(at[0], image.shape[1] - width - 2 * pad))
    y = max(0, min(at[1], image.shape[0] - height - 2 * pad))
    ground = image[y : y + height + 2 * pad, x : x + width + 2 * pad]
    ground[...] = ground // 4
    put(image, text, (x + pad, y + pad + height), scale, colour)
