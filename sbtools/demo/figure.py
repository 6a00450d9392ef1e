"""The jointed figure: a body, a pose, and the shapes that they come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
Mask = NDArray[np.bool_]
FINE = 4
"""Sample points along each side of a pixel."""


@dataclass(frozen=True)
class Capsule:
    """All points within `radius` of the segment from `start` to `end`, in pixels; y points down."""

    start: Point
    end: Point
    radius: float

    def bounds(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1."""
        (ax, ay), (bx, by), r = self.start, self.end, self.radius
        return min(ax, bx) - r, min(ay, by) - r, max(ax, bx) + r, max(ay, by) + r

    def inside(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> Mask:
        """Which points of the grid [len(y), len(x)] lie inside."""
        (ax, ay), (bx, by) = self.start, self.end
        dx, dy = bx - ax, by - ay
        px, py = x[None, :] - ax, y[:, None] - ay
        length = dx * dx + dy * dy
        along = np.clip((px * dx + py * dy) / length, 0, 1) if length else np.zeros((1, 1))
        near: Mask = (px - along * dx) ** 2 + (py - along * dy) ** 2 <= self.radius**2
        return near


@dataclass(frozen=True)
class Polygon:
    """A convex polygon, its corners clockwise as seen on the screen."""

    corners: tuple[Point, ...]

    def bounds(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1."""
        xs, ys = zip(*self.corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def inside(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> Mask:
        """Which points of the grid [len(y), len(x)] lie inside."""
        found = np.ones((len(y), len(x)), bool)
        for (ax, ay), (bx, by) in zip(
            self.corners, (*self.corners[1:], self.corners[0]), strict=True
        ):
            found &= (bx - ax) * (y[:, None] - ay) - (by - ay) * (x[None, :] - ax) >= 0
        return found


Shape = Capsule | Polygon


@dataclass(frozen=True)
class Part:
    """A shape and what it is made of: skin, shirt, trousers, or the name of an object."""

    shape: Shape
    stuff: str
    shade: float = 1.0


@dataclass(frozen=True)
class Body:
    """Lengths in pixels; the height from sole to crown is about `scale`."""

    scale: float
    torso: float
    arm: float
    leg: float
    head: float
    limb: float
    shoulder: float
    hips: float


@dataclass(frozen=True)
class Pose:
    """Angles in radians from straight down, positive to the right; (upper, lower) of each limb.

    Arms and legs are told by the side of the screen that they hang from.
    """

    arm_left: Point
    arm_right: Point
    leg_left: Point
    leg_right: Point
    lean: float = 0.0

    def mirrored(self) -> Pose:
        """Left and right exchanged."""

        def flip(limb: Point) -> Point:
            return -limb[0], -limb[1]

        return Pose(
            flip(self.arm_right),
            flip(self.arm_left),
            flip(self.leg_right),
            flip(self.leg_left),
            -self.lean,
        )


@dataclass(frozen=True)
class Figure:
    """The parts of a figure, from back to front, its hands and the middle of its trunk."""

    parts: Sequence[Part]
    hands: Mapping[str, Point]
    middle: Point


def stand(body: Body, pose: Pose, x: float, ground: float) -> Figure:
    """The figure in that pose, hips above `x`, its lower foot on `ground`."""
    reach = [_limb((0.0, 0.0), leg, body.leg) for leg in (pose.leg_left, pose.leg_right)]
    hip_y = ground - max(points[-1][1] for points in reach) - body.limb
    up = (sin(pose.lean), -cos(pose.lean))
    neck = (x + body.torso * up[0], hip_y + body.torso * up[1])
    parts, hands = [], {}
    for side, sign in (("left", -1), ("right", 1)):
        leg = _limb((x + sign * body.hips, hip_y), getattr(pose, f"leg_{side}"), body.leg)
        arm = _limb(
            (neck[0] + sign * body.shoulder, neck[1]), getattr(pose, f"arm_{side}"), body.arm
        )
        parts += _tube(leg, body.limb * 1.1, "trousers", 1.0)
        parts += _tube(arm, body.limb, "shirt", 0.8)
        parts.append(Part(Capsule(arm[-1], arm[-1], body.limb * 1.15), "skin"))
        hands[side] = arm[-1]
    side_width = body.shoulder * 0.75
    for sign in (-1, 1):
        low, high = (x + sign * body.hips * 0.9, hip_y), (neck[0] + sign * side_width, neck[1])
        parts.insert(0, Part(Capsule(low, high, body.limb * 1.35), "shirt"))
    crown = neck[0] + up[0] * body.head * 1.6, neck[1] + up[1] * body.head * 1.6
    parts.append(Part(Capsule(neck, crown, body.head * 0.5), "skin", 0.9))
    parts.append(Part(Capsule(crown, crown, body.head), "skin"))
    return Figure(parts, hands, ((x + neck[0]) / 2, (hip_y + neck[1]) / 2))


def _limb(start: Point, angles: Point, length: float) -> list[Point]:
    points = [start]
    for angle in angles:
        x, y = points[-1]
        points.append((x + length / 2 * sin(angle), y + length / 2 * cos(angle)))
    return points


def _tube(points: Sequence[Point], radius: float, stuff: str, shade: float) -> list[Part]:
    return [Part(Capsule(start, end, radius), stuff, shade) for start, end in pairwise(points)]


def paint(parts: Sequence[Part], height: int, width: int) -> NDArray[np.uint8]:
    """At every sample point the number of the foremost part, from 1, or 0: uint8 [F H, F W].

    Sample points lie at (i + 1/2) / F pixels, F = FINE.
    """
    drawn = np.zeros((height * FINE, width * FINE), np.uint8)
    for number, part in enumerate(parts, 1):
        x0, y0, x1, y1 = part.shape.bounds()
        columns, rows = _span(x0, x1, width * FINE), _span(y0, y1, height * FINE)
        if columns.start >= columns.stop or rows.start >= rows.stop:
            continue
        x, y = (np.arange(s.start, s.stop) + 0.5 for s in (columns, rows))
        drawn[rows, columns][part.shape.inside(x / FINE, y / FINE)] = number
    return drawn


def _span(low: float, high: float, limit: int) -> Any:
    return slice(max(int(low * FINE) - 1, 0), min(max(int(high * FINE) + 2, 0), limit))


def cells(points: NDArray[Any]) -> NDArray[Any]:
    """The F x F sample points of each pixel: [F H, F W] to [H, W, F F]."""
    height, width = (length // FINE for length in points.shape)
    apart = points.reshape(height, FINE, width, FINE).swapaxes(1, 2)
    return apart.reshape(height, width, FINE * FINE)
