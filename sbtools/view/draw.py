"""Masks and boxes on frames: pure functions over RGB uint8 [H, W, 3] and bool [H, W]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sbtools.view.text import Colour, Image, label, plain

Mask = NDArray[np.bool_]

PERSON: Colour = (255, 40, 170)
OBJECT: Colour = (255, 205, 0)
LIGHT: Colour = (255, 255, 255)
COLOURS = {"person": PERSON, "object": OBJECT}

TALLEST = 2
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


@dataclass(frozen=True)
class Pen:
    """How thick lines and how large letters are, in a picture of a given size."""

    line: int
    letter: float

    @classmethod
    def of(cls, height: int, width: int) -> Pen:
        """Two pixels and small letters in a picture of 240x180, more in larger ones."""
        unit = (max(height * width, 1) ** 0.5 / 208) ** 0.6
        return cls(max(1, round(2 * unit)), min(max(0.36 * unit, 0.33), 2.0))


def fitted(height: int, width: int, cell: int) -> tuple[int, int]:
    """Height and width of a frame in a cell: `cell` wide, but no higher than twice that."""
    scale = min(cell / width, TALLEST * cell / height)
    return max(1, round(height * scale)), max(1, round(width * scale))


def scaled(image: Image, height: int, width: int) -> Image:
    """The image at another size, averaged where it shrinks."""
    if image.shape[:2] == (height, width):
        return image.copy()
    shrinks = height * width < image.shape[0] * image.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(image, (width, height), interpolation=how)  # type: ignore[return-value]


def scaled_mask(mask: Mask, height: int, width: int) -> Mask:
    """The mask at another size: the pixels that it covers by half; if none are, all it touches."""
    if mask.shape == (height, width):
        return mask
    shrinks = height * width < mask.size
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    share = cv2.resize(mask.astype(np.float32), (width, height), interpolation=how)
    half = share >= 0.5
    return half if half.any() else share > 0


def edge(mask: Mask, thickness: int = 1) -> Mask:
    """The pixels of the mask within `thickness` steps of its background, none at the rim alone."""
    inside = cv2.erode(np.ascontiguousarray(mask).view(np.uint8), _CROSS, iterations=thickness)
    return mask & (inside == 0)


def tint(image: Image, mask: Mask, colour: Colour) -> None:
    """Mix a quarter of the colour into the pixels of the mask, in place."""
    mixed = image[mask].astype(np.uint16) * 3 + np.array(colour, np.uint16) + 2
    image[mask] = (mixed // 4).astype(np.uint8)


def outline(image: Image, mask: Mask, colour: Colour, thickness: int) -> None:
    """Tint the mask and draw its edge, in place."""
    tint(image, mask, colour)
    image[edge(mask, thickness)] = colour


def corners(
    xyxy: Sequence[float], scale: tuple[float, float], height: int, width: int
) -> tuple[int, int, int, int]:
    """First and last column and row of a box, x0 y0 x1 y1 inclusive, in a scaled picture.

    `scale` is (x, y). What lies outside is cut a little beyond the rim, so that no edge is drawn
    where the box has none.
    """
    beyond = 16
    x0, x1 = (round(min(max(x * scale[0], -beyond), width + beyond)) for x in xyxy[0::2])
    y0, y1 = (round(min(max(y * scale[1], -beyond), height + beyond)) for y in xyxy[1::2])
    return x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)


def rim(
    place: tuple[int, int, int, int], height: int, width: int, line: int, dash: int = 0
) -> Mask:
    """The edges of a box as `corners` gives it, `line` pixels inwards; `dash` pixels on and off."""
    mask = np.zeros((height, width), np.bool_)
    x0, y0, x1, y1 = place
    mask[max(0, y0) : max(0, y1 + 1), max(0, x0) : max(0, x1 + 1)] = True
    mask[max(0, y0 + line) : max(0, y1 + 1 - line), max(0, x0 + line) : max(0, x1 + 1 - line)] = 0
    if dash:
        rows, columns = np.ogrid[:height, :width]
        mask &= (rows + columns) // dash % 2 == 0
    return mask


def caption_of(entry: Mapping[str, Any]) -> str:
    """What is written at a box: its prompt, unless that is "person", and its score."""
    prompt = "" if entry["prompt"] == entry["role"] == "person" else f"{entry['prompt']} "
    return plain(f"{prompt}{entry['score']:.2f}")


def overlay(
    frame: Image,
    masks: Mapping[str, Mask],
    boxes: Sequence[Mapping[str, Any]],
    size: tuple[int, int],
    notes: Sequence[str] = (),
) -> Image:
    """A new picture of `size` (height, width): the frame with masks, boxes and notes on it.

    masks: bool [H, W] by role. boxes: those of this frame, in its pixels. notes: lines for the
    bottom left corner, the last one lowest. Boxes are dashed where there are masks to tell them
    from.
    """
    height, width = size
    scale = (width / frame.shape[1], height / frame.shape[0])
    pen = Pen.of(height, width)
    image = scaled(frame, height, width)
    for role in ("object", "person"):
        if role in masks:
            outline(image, scaled_mask(masks[role], height, width), COLOURS[role], pen.line)
    places = [corners(entry["xyxy"], scale, height, width) for entry in boxes]
    line, dash = max(1, pen.line // 2), 3 * pen.line if masks else 0
    for place, entry in zip(places, boxes, strict=True):
        image[rim(place, height, width, line, dash)] = COLOURS[entry["role"]]
    for place, entry in zip(places, boxes, strict=True):
        label(image, caption_of(entry), place[:2], pen.letter, COLOURS[entry["role"]])
    step = round(34 * pen.letter)
    for i, note in enumerate(reversed(notes)):
        label(image, note, (0, height - (i + 1) * step), pen.letter, LIGHT)
    return image
