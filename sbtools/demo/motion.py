"""What a source draws: a body, where it stands, how it moves, what it holds, how it is filmed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import hypot, pi, sin, sqrt

import numpy as np

from sbtools import rng
from sbtools.demo.actions import Action, Phase
from sbtools.demo.figure import Body, Figure, Part, Point, stand
from sbtools.demo.looks import OBJECTS, thing

AREA = (0.09, 0.185)
"""The share of the frame that a figure covers, about, which limbs over limbs make smaller."""
AREA_OF_BODY = 0.30
REACH, SPAN, WALKING = 1.26, 0.56, 0.36
"""Heights of a body: from the ground to a raised hand; to the side with an arm out; in walking."""


@dataclass(frozen=True)
class Motion:
    """The draws of one source, in pixels, frames and turns."""

    size: int
    body: Body
    place: Point
    mirrored: bool
    turns: float
    hold: int
    phase: float
    sway: tuple[tuple[float, float, float], ...]
    speed: float
    camera: tuple[tuple[float, float, float], ...]
    object: str | None
    held: bool
    object_size: float
    object_angle: float
    skin: float
    light: float


def draw(seed: int, source: str, size: int, object: str | None = None) -> Motion:
    """The motion of a source; an object is drawn for every second, unless one is named."""
    g = rng.generator(seed, source, "motion")
    scale = size * sqrt(g.uniform(*AREA) / AREA_OF_BODY)
    body = _body(scale, g)
    room = max(0.5 * size - SPAN * scale, 0.0)
    least = min(REACH * scale, 0.97 * size)
    place = 0.5 * size + g.uniform(-room, room), g.uniform(least, 0.97 * size)
    mirrored, phase = bool(g.random() < 0.5), float(g.random())
    turns, hold = float(g.choice([1.0, 1.5, 2.0])), int(g.integers(2, 4))
    sway = tuple(_wave(g, 4.5) for _ in range(3))
    travel = g.uniform(0.55, 1.0) * min(0.36 * size, 2 * max(0.5 * size - WALKING * scale, 0))
    camera = tuple(_wave(g, 0.02 * size) for _ in range(2))
    has, kind = g.random() < 0.5, str(g.choice(list(OBJECTS)))
    held = bool(g.random() < 0.7)
    return Motion(
        size=size, body=body, place=place, mirrored=mirrored, turns=turns, hold=hold, phase=phase,
        sway=sway, speed=travel, camera=camera, object=object or (kind if has else None),
        held=held or object is not None, object_size=scale * g.uniform(0.09, 0.125),
        object_angle=g.uniform(-pi, pi), skin=g.random(), light=g.uniform(0.75, 0.98),
    )  # fmt: skip


def _body(scale: float, g: np.random.Generator) -> Body:
    def about(length: float, spread: float = 0.08) -> float:
        return scale * length * g.uniform(1 - spread, 1 + spread)

    return Body(
        scale=scale, torso=about(0.29), arm=about(0.40), leg=about(0.44), head=about(0.095),
        limb=about(0.050), shoulder=about(0.115), hips=about(0.065),
    )  # fmt: skip


def _wave(g: np.random.Generator, size: float) -> tuple[float, float, float]:
    """Amplitude, turns in 16 frames, and start of a slow oscillation."""
    return size * g.uniform(0.4, 1.0), g.uniform(0.5, 1.5), g.random()


def _at(wave: tuple[float, float, float], frame: int) -> float:
    size, turns, start = wave
    return size * sin(2 * pi * (turns * frame / 16 + start))


def phases(motion: Motion, action: Action, count: int) -> Iterator[Phase]:
    """Where the movement is in each frame; for direction -1 the clock runs backward."""
    beat = int(motion.phase * 6 * motion.hold)
    for frame in range(count):
        clock = frame if action.direction >= 0 else -frame
        sway = tuple(_at(wave, frame) for wave in motion.sway)
        yield Phase(
            beat=(beat + frame) // motion.hold,
            cycle=motion.phase + motion.turns * clock / 16,
            sway=(sway[0], sway[1], sway[2]),
        )


def cameras(motion: Motion, count: int) -> list[Point]:
    """How far the picture is shifted in each frame, in pixels."""
    x, y = motion.camera
    return [(_at(x, frame), _at(y, frame)) for frame in range(count)]


def figures(motion: Motion, action: Action, count: int) -> Iterator[tuple[Part | None, Figure]]:
    """The object and the figure in each frame; the object lies behind the figure."""
    shifts = cameras(motion, count)
    for frame, phase in enumerate(phases(motion, action, count)):
        pose = action.pose(phase)
        if motion.mirrored and not action.travels:
            pose = pose.mirrored()
        x, ground = motion.place
        if action.travels:
            x = _walk(motion, action.direction, frame, count)
        dx, dy = shifts[frame]
        figure = stand(motion.body, pose, x + dx, ground + dy)
        yield _object(motion, figure, (x + dx, ground + dy), frame), figure


def _walk(motion: Motion, direction: int, frame: int, count: int) -> float:
    """The place of a walker: it passes its own place in the middle of the clip, either way."""
    middle = 0.5 * motion.size
    room = max(middle - WALKING * motion.body.scale - motion.speed / 2, 0.0)
    centre = min(max(motion.place[0], middle - room), middle + room)
    return centre + direction * motion.speed * ((frame + 0.5) / count - 0.5)


def _object(motion: Motion, figure: Figure, foot: Point, frame: int) -> Part | None:
    if motion.object is None:
        return None
    size = motion.object_size
    if motion.held:
        # The arm that moves is the right one, or its mirror image.
        x, y = figure.hands["left" if motion.mirrored else "right"]
        out = x - figure.middle[0], y - figure.middle[1]
        beyond = 0.6 * size / max(hypot(*out), 1e-9)
        at = x + beyond * out[0], y + beyond * out[1]
        return thing(motion.object, at, size, motion.object_angle)
    side = -1 if motion.mirrored else 1
    away = side * 0.42 * motion.body.scale + _at(motion.sway[0], frame)
    return thing(motion.object, (foot[0] + away, foot[1] - size), size, motion.object_angle)
