"""How each composed clip is made of a clip with people and, for some, of another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from sbtools.compose.composite import Frame, Mask, over, stretched
from sbtools.compose.people import People
from sbtools.mask.equations import Regions
from sbtools.mask.inpaint import inpaint

MEAN = (124, 116, 104)
"""ImageNet's mean colour, which HAT shows in place of all but people, in whole numbers."""
GROWN = 4
"""How often HAT grows a shape by a pixel before what is in it is made up."""


@dataclass
class Made:
    """A composed clip: height and width, its frames uint8 [H, W, 3] one after the other, which of
    the frames with people they are of, and what goes into its record.
    """

    size: tuple[int, int]
    places: list[int]
    frames: Iterator[Frame]
    fields: dict[str, Any] = field(default_factory=dict)
    composed: dict[str, Any] = field(default_factory=dict)


def grown(mask: Mask) -> Mask:
    """A shape bool [H, W] with a margin: four times all that is above, below, left or right."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    made = cv2.dilate(mask.view(np.uint8), cross, iterations=GROWN)
    return np.asarray(made, np.uint8).view(np.bool_)


def without_people(rgb: Frame, mask: Mask) -> Frame:
    """A frame whose people, with a margin, are made up from what is around them."""
    hidden = grown(mask)
    return inpaint(rgb, Regions(hidden, np.zeros_like(hidden)))


def each(people: People, make: Callable[[Frame, Mask], Frame], **told: Any) -> Made:
    """A clip of which every frame is made by itself, of the frame and its people."""
    frames = (make(rgb, people.mask(place)) for place, rgb in people.frames())
    return Made(people.size, list(range(len(people))), frames, **told)


def human_only(people: People) -> Made:
    """All but the people is one colour."""
    colour = np.array(MEAN, np.uint8)
    return each(people, lambda rgb, mask: np.where(mask[..., None], rgb, colour),
                composed={"colour": list(MEAN)})  # fmt: skip


def bg_only(people: People) -> Made:
    """The people are taken out."""
    return each(people, without_people)


def self_composite(people: People) -> Made:
    """The people stand before their own background, of which they were taken out."""
    return each(people, lambda rgb, mask: over(rgb, mask, without_people(rgb, mask)))


def scuba(people: People, name: str, image: Frame) -> Made:
    """The people stand before one image, stretched to the frame."""
    back = stretched(image, *people.size)
    fields = {"background_id": name}
    return each(people, lambda rgb, mask: over(rgb, mask, back), fields=fields)


def scufo(people: People, name: str, image: Frame, draw: np.random.Generator) -> Made:
    """One frame of that, which stands for all."""
    place = int(draw.integers(len(people)))
    shown = over(people.frame(place), people.mask(place), stretched(image, *people.size))
    told = {"frame": people.numbers[place]}
    return Made(people.size, [place], iter([shown]), {"background_id": name}, told)
