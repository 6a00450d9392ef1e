"""The twelve actions, in three groups: what decides them is known.

pose: one frame. bag: the set of poses, not their order. order: the same frames, reversed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi, radians, sin

from sbtools.demo.figure import Point, Pose

DOWN, LEVEL, UP = 15.0, 90.0, 165.0
LOW, HIGH = 20.0, 160.0


@dataclass(frozen=True)
class Phase:
    """Where a clip is in its movement. Everything is drawn once for each source.

    `beat` counts poses of a bag action, `cycle` is the place in a sweep or a step, in turns from a
    random start; `sway` are small angles in degrees.
    """

    beat: int
    cycle: float
    sway: tuple[float, float, float]


@dataclass(frozen=True)
class Action:
    """A class: its name, what a language model reads, its group, and how it is moved.

    `symbols` are what single frames can show; a frame of the clip shows each equally often.
    `direction` is 1 or -1 for those of the order group: time runs forward or backward.
    """

    name: str
    text: str
    group: str
    symbols: tuple[str, ...]
    pose: Callable[[Phase], Pose]
    direction: int = 0
    travels: bool = False


def _standing(phase: Phase, left: Point, right: Point) -> Pose:
    """Feet on the ground, arms at these angles in degrees, outward from straight down."""
    a, b, c = phase.sway
    return Pose(
        (radians(-left[0] + a), radians(-left[1] + b)),
        (radians(right[0] + b), radians(right[1] + a)),
        (radians(-9 + c / 2), radians(-7 + c / 2)),
        (radians(9 + c / 2), radians(7 + c / 2)),
        radians(c / 2),
    )


def _both(angle: float) -> Callable[[Phase], Pose]:
    return lambda phase: _standing(phase, (angle, angle), (angle, angle))


def _one_up(phase: Phase) -> Pose:
    return _standing(phase, (12, 8), (172, 172))


def _lunge(phase: Phase) -> Pose:
    a, b, c = phase.sway
    return Pose(
        (radians(-28 + a), radians(-10 + a)),
        (radians(28 + b), radians(10 + b)),
        (radians(-58 + c / 2), radians(-62 + c / 2)),
        (radians(78 + c / 2), radians(4 + c / 2)),
        radians(c / 2),
    )


def _wave(*angles: float) -> Callable[[Phase], Pose]:
    def pose(phase: Phase) -> Pose:
        angle = angles[phase.beat % len(angles)]
        return _standing(phase, (55, -50), (angle, angle))

    return pose


def _sweep(phase: Phase) -> Pose:
    """Both arms on one side, together."""
    angle = LOW + (HIGH - LOW) * (phase.cycle % 1)
    return _standing(phase, (-angle - 8, -angle - 8), (angle - 8, angle - 8))


def _step(phase: Phase) -> Pose:
    swing = sin(2 * pi * phase.cycle)
    a, b, c = phase.sway
    return Pose(
        (radians(-6 + 32 * swing + a / 2), radians(-2 + 40 * swing + a / 2)),
        (radians(6 - 32 * swing + b / 2), radians(2 - 40 * swing + b / 2)),
        (radians(-34 * swing), radians(-30 * swing)),
        (radians(34 * swing), radians(30 * swing)),
        radians(c / 2),
    )


_SWEPT = ("sweep low", "sweep level", "sweep high")
_STEPS = ("feet apart", "feet together", "feet crossed")

ACTIONS = {
    action.name: action
    for action in (
        Action("arms-up", "holding both arms up", "pose", ("arms up",), _both(158)),
        Action("arms-out", "holding both arms out", "pose", ("arms out",), _both(90)),
        Action("one-arm-up", "holding one arm up", "pose", ("one arm up",), _one_up),
        Action("lunge", "holding a lunge", "pose", ("lunge",), _lunge),
        Action("wave-wide", "waving one arm between down and up", "bag", ("D", "U"),
               _wave(DOWN, UP)),
        Action("wave-low", "waving one arm between down and level", "bag", ("D", "M"),
               _wave(DOWN, LEVEL)),
        Action("wave-high", "waving one arm between level and up", "bag", ("M", "U"),
               _wave(LEVEL, UP)),
        Action("wave-all", "waving one arm from down to level to up", "bag", ("D", "M", "U"),
               _wave(DOWN, LEVEL, UP)),
        Action("raise", "raising both arms", "order", _SWEPT, _sweep, 1),
        Action("lower", "lowering both arms", "order", _SWEPT, _sweep, -1),
        Action("walk-right", "walking to the right", "order", _STEPS, _step, 1, True),
        Action("walk-left", "walking to the left", "order", _STEPS, _step, -1, True),
    )
}  # fmt: skip
"""Class k of the table goes with scene k and clothes k where there is a bias."""

NAMES = tuple(ACTIONS)
VERBS = {
    "raising": "raise",
    "lowering": "lower",
    "swinging": "wave-wide",
    "shaking": "wave-high",
    "carrying": "walk-right",
    "dragging": "walk-left",
}
"""The verbs of the zero-shot names, and the movement of each."""
