"""Clothes, skin and objects: colours, and the shapes of what is held."""

from __future__ import annotations

import colorsys
from math import cos, sin

import numpy as np
from numpy.typing import NDArray

from sbtools.demo.figure import Capsule, Part, Point, Polygon, Shape

CLOTHES = (
    "red", "orange", "yellow", "lime", "green", "mint",
    "cyan", "azure", "blue", "violet", "magenta", "rose",
)  # fmt: skip
"""Hues, 30 degrees apart."""

OBJECTS = {
    "ball": (235, 235, 240),
    "box": (150, 100, 55),
    "stick": (70, 45, 25),
    "cup": (30, 30, 34),
}
Colour = NDArray[np.float64]


def shirt(name: str, value: float) -> Colour:
    """RGB, 0 to 255, of clothes of that hue; `value` is their brightness, 0 to 1."""
    hue = CLOTHES.index(name) / len(CLOTHES)
    return np.array(colorsys.hsv_to_rgb(hue, 0.88, value)) * 255


def skin(tone: float) -> Colour:
    """RGB of skin; 0 is dark, 1 light."""
    dark, light = np.array([95.0, 60, 40]), np.array([245.0, 205, 175])
    return dark + (light - dark) * tone


def thing(name: str, at: Point, size: float, angle: float) -> Part:
    """The object at that place; `size` is about its half width in pixels."""
    return Part(_shape(name, at, size, angle), name)


def _shape(name: str, at: Point, size: float, angle: float) -> Shape:
    x, y = at
    if name == "ball":
        return Capsule(at, at, size)
    if name == "stick":
        dx, dy = 2.4 * size * sin(angle), 2.4 * size * cos(angle)
        return Capsule((x - dx, y - dy), (x + dx, y + dy), size * 0.34)
    if name == "box":
        return _turned(at, angle, [(-1, -0.9), (1, -0.9), (1, 0.9), (-1, 0.9)], size)
    return _turned(at, angle * 0.3, [(-0.9, -1.1), (0.9, -1.1), (0.55, 1.1), (-0.55, 1.1)], size)


def _turned(at: Point, angle: float, corners: list[Point], size: float) -> Polygon:
    c, s = cos(angle) * size, sin(angle) * size
    return Polygon(tuple((at[0] + c * x - s * y, at[1] + s * x + c * y) for x, y in corners))
