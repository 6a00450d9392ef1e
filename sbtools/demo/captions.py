"""What is to be seen in single frames, in words: scene, pose and object, never the action."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sin

from sbtools.demo.actions import ACTIONS, Action, Phase
from sbtools.demo.motion import Motion, phases

WORDS = {
    "arms up": "two arms pointing up",
    "arms out": "two arms pointing out",
    "one arm up": "one arm pointing up and one hanging",
    "lunge": "knees bent and legs wide",
    "D": "one arm pointing down and a hand on the hip",
    "M": "one arm pointing level and a hand on the hip",
    "U": "one arm pointing up and a hand on the hip",
    "sweep low": "two arms on one side pointing low",
    "sweep level": "two arms on one side pointing level",
    "sweep high": "two arms on one side pointing high",
    "feet apart": "feet apart",
    "feet together": "feet together",
    "feet crossed": "feet crossed",
}
"""What is written for each symbol that a frame can show (`Action.symbols`)."""


def captions(
    motion: Motion, action: str | None, scene: str, objects: Sequence[str], count: int
) -> list[str]:
    """A text for each frame of a clip, in phrases set apart by ", ": scene, pose, object.

    An object is named in all frames of its clip. Without an action the scene is empty.
    """
    if action is None:
        return [f"{scene} and nobody"] * count
    held = [f"with a {thing}" for thing in objects]
    moving = ACTIONS[action]
    poses = (WORDS[moving.symbols[symbol(moving, p)]] for p in phases(motion, moving, count))
    return [", ".join([f"{scene} behind a person", pose, *held]) for pose in poses]


def symbol(action: Action, phase: Phase) -> int:
    """Which of the action's symbols is shown in this phase of its movement."""
    if action.group != "order":
        return phase.beat % len(action.symbols)
    if not action.travels:
        return int(phase.cycle % 1 * 3)
    swing = sin(2 * pi * phase.cycle)
    return 0 if swing > 0.5 else 2 if swing < -0.5 else 1
