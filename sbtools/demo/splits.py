"""The classes of the benchmark, and how many clips of each there are in every split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sbtools.demo.actions import ACTIONS, NAMES, VERBS
from sbtools.demo.looks import OBJECTS

NOVEL = {(v, v % 4) for v in range(6)} | {(0, 2), (1, 3)}
"""The names, as (verb, object), that training never shows; each verb and object has base names."""


@dataclass(frozen=True)
class Name:
    """A class: what it is called, what is read for it, how it moves, and which cue is its own."""

    label: str
    text: str
    action: str
    cue: int
    object: str | None = None
    verb: str | None = None


TWELVE = [Name(name, ACTIONS[name].text, name, cue) for cue, name in enumerate(NAMES)]


def _pairs(novel: Sequence[bool]) -> list[Name]:
    """Verb x object, those that are novel or not, as asked for."""
    return [
        Name(f"{verb} a {thing}", f"{verb} a {thing}", VERBS[verb], v, thing, verb)
        for v, verb in enumerate(VERBS)
        for o, thing in enumerate(OBJECTS)
        if ((v, o) in NOVEL) in novel
    ]


BASE, UNSEEN, ALL_PAIRS = _pairs([False]), _pairs([True]), _pairs([False, True])


@dataclass(frozen=True)
class Split:
    """How many clips of each name, and what is done to those of another split, if any.

    `by_cell` splits are made once for each cell, the others are free of cues and shared.
    `of` is the split whose clips are shown again; `change` is what is exchanged: scene, clothes,
    motion, or plate, which takes the figure away.
    """

    clips: int
    names: Sequence[Name]
    by_cell: bool = True
    of: str | None = None
    change: str | None = None


SPLITS = {
    "train": Split(100, TWELVE),
    "val-iid": Split(30, TWELVE),
    "val-conflict": Split(30, TWELVE, by_cell=False, change="conflict"),
    "test-iid": Split(100, TWELVE),
    "plates": Split(100, TWELVE, of="test-iid", change="plate"),
    "test-unbiased": Split(100, TWELVE, by_cell=False),
    "test-conflict": Split(100, TWELVE, by_cell=False, change="conflict"),
    "do-scene": Split(100, TWELVE, by_cell=False, of="test-unbiased", change="scene"),
    "do-clothes": Split(100, TWELVE, by_cell=False, of="test-unbiased", change="clothes"),
    "do-motion": Split(100, TWELVE, by_cell=False, of="test-unbiased", change="motion"),
}
ZERO_SHOT = {
    "zs-train": Split(75, BASE),
    "zs-val": Split(20, BASE),
    "zs-base": Split(60, BASE),
    "zs-novel": Split(60, UNSEEN),
    "zs-mimetics": Split(30, ALL_PAIRS, by_cell=False, change="pantomime"),
}
CAPTIONED = {"captions": Split(200, TWELVE, by_cell=False)}
"""What `--captions` adds: clips free of cues, for pretraining."""
