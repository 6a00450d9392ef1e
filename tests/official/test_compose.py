"""Backgrounds, swapped actions and noise that moves, against the official code: compose.json."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sbtools.compose import composite, making
from sbtools.compose.noise import bytes_of, warped
from sbtools.compose.pairing import swap
from sbtools.compose.people import People
from sbtools.compose.rule import rule_of
from sbtools.compose.stripes import stripes
from sbtools.errors import ClipError
from tests.official import figures
from tests.official.make_compose import (
    FLOWS,
    SCUBA,
    STRIPES,
    SWAPS,
    clip,
    digest,
    draws,
    flows,
    noise,
    walker,
)

FIGURES = figures.read("compose")


class Told:
    """A generator whose draws are given."""

    def __init__(self, values: list[float]) -> None:
        self.left: Iterator[float] = iter(values)

    def random(self, count: int | None = None) -> Any:
        return (
            next(self.left) if count is None else np.array([next(self.left) for _ in range(count)])
        )


@pytest.mark.parametrize("number", range(STRIPES))
def test_stripes(number: int) -> None:
    told: Any = Told(draws(number))
    assert digest(stripes(told)) == FIGURES["stripes"][str(number)]
    assert next(told.left, None) is None


@pytest.mark.parametrize("number", range(len(FLOWS)))
def test_noise_that_the_flow_warps(number: int) -> None:
    first = noise(number)
    frames = [first, *(warped(first, flow) for flow in flows(number))]
    assert digest(np.stack([bytes_of(frame) for frame in frames])) == FIGURES["noise"][str(number)]


@pytest.mark.parametrize("name", SWAPS)
def test_action_swap(name: str) -> None:
    told = FIGURES["swap"][name]
    (people, shapes), (rooms, others) = (clip(name, which) for which in ("front", "back"))
    at = SWAPS[name]["at"]
    behind = [composite.place_behind(n, len(people), len(rooms)) for n in at]
    assert behind == told["at"]
    short = min(people.shape[1:3])
    backs = [composite.fitted(rooms[n], short) for n in behind]
    mask = composite.fitted(others[behind[0]], short)
    move = composite.offset(shapes[at[0]], mask)
    found = [composite.pasted(people[n], shapes[n] > 128, back, move)
             for n, back in zip(at, backs, strict=True)]  # fmt: skip
    assert digest(np.stack(found)) == {key: told[key] for key in ("shape", "sha256")}


class Clip:
    """A clip with people, or the clip behind them, of arrays."""

    def __init__(self, pixels: Any, masks: Any) -> None:
        self.pixels, self.masks, self.size = pixels, masks > 128, pixels.shape[1:3]

    def __len__(self) -> int:
        return len(self.pixels)

    def mask(self, place: int) -> Any:
        return self.masks[place]

    def frames(self, places: Any = None) -> Any:
        return enumerate(self.pixels) if places is None else (self.pixels[at] for at in places)


@pytest.mark.parametrize("name", [name for name in SWAPS if "all" in name])
def test_action_swap_as_it_is_made(name: str) -> None:
    front, back = (Clip(*clip(name, which)) for which in ("front", "back"))
    people: Any = front
    made = swap(people, back)
    told = FIGURES["swap"][name]
    assert digest(np.stack(list(made.frames))) == {key: told[key] for key in ("shape", "sha256")}
    assert list(made.size) == told["shape"][1:3]


@pytest.mark.parametrize("name", SCUBA)
def test_scuba_on_kinetics(name: str) -> None:
    frames, masks, back = walker(name)
    shown = enumerate(frames)
    stored: Any = SimpleNamespace(
        frames=range(10), size=masks.shape[1:], mask=lambda role, place: masks[place].copy()
    )
    video: Any = SimpleNamespace(read=lambda numbers: shown)
    people = People({"id": name}, "", video, stored, rule_of("scuba-k400").around)
    made = making.scuba(people, "room.jpg", back)
    told = FIGURES["scuba"][name]
    assert digest(np.stack(list(made.frames))) == {key: told[key] for key in ("shape", "sha256")}
    try:
        rule_of("scuba-k400").require(people.shares)
    except ClipError as error:
        assert error.kind == "dropped" and not told["kept"]
    else:
        assert told["kept"]
