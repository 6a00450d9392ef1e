"""Composed clips of two clips: people before another clip's background, and ConflFG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from sbtools.clip import open_clip
from sbtools.compose.composite import (
    Frame,
    Grey,
    Mask,
    fitted,
    offset,
    over,
    pasted,
    place_behind,
    stretched,
)
from sbtools.compose.making import Made, without_people
from sbtools.compose.people import People
from sbtools.store import StoredClip

SIDES = ("first", "second")


class Behind(Protocol):
    """Frames without people; places count from 0."""

    def __len__(self) -> int: ...

    def frames(self, places: Sequence[int]) -> Iterator[Frame]:
        """uint8 [H, W, 3] of each of these places, which ascend, and may repeat."""

    def mask(self, place: int) -> Mask | None:
        """Where the people were: bool [H, W]; None where nobody knows."""


@dataclass
class TakenOut:
    """The frames of a clip whose people are taken out on the way."""

    people: People

    def __len__(self) -> int:
        return len(self.people)

    def frames(self, places: Sequence[int]) -> Iterator[Frame]:
        numbers = [self.people.numbers[place] for place in sorted(set(places))]
        found = self.people.clip.read(numbers)
        last, shown = -1, None
        for place in places:
            if place != last:
                _, rgb = next(found)
                last, shown = place, without_people(rgb, self.people.mask(place))
            assert shown is not None
            yield shown

    def mask(self, place: int) -> Mask | None:
        return self.people.mask(place)


@dataclass
class Stored:
    """The frames of a clip in a store of pixels; masks, if any, are those of the clip itself."""

    pixels: StoredClip
    people: People | None = None

    def __len__(self) -> int:
        return len(self.pixels.frames)

    def frames(self, places: Sequence[int]) -> Iterator[Frame]:
        return (self.pixels.rgb(place) for place in places)

    def mask(self, place: int) -> Mask | None:
        return _mask_at(self.people, place, len(self))


@dataclass
class Filed:
    """The frames of a video or a folder of images."""

    path: str
    people: People | None = None

    def __post_init__(self) -> None:
        with open_clip({"id": self.path}, self.path) as clip:
            self._numbers = list(clip.numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def frames(self, places: Sequence[int]) -> Iterator[Frame]:
        with open_clip({"id": self.path}, self.path) as clip:
            found = clip.read([self._numbers[place] for place in sorted(set(places))])
            last, shown = -1, None
            for place in places:
                if place != last:
                    last, (_, shown) = place, next(found)
                assert shown is not None
                yield shown

    def mask(self, place: int) -> Mask | None:
        return _mask_at(self.people, place, len(self))


def _mask_at(people: People | None, place: int, count: int) -> Mask | None:
    if people is None:
        return None
    return people.mask(place_behind(place, count, len(people)))


def swap(people: People, behind: Behind) -> Made:
    """The people of a clip before the background of another, where that one's people stood.

    As HAT has it: the background is resized to the clip's shorter side, and the people are moved by
    one offset in all frames.
    """
    count, short = len(people), min(people.size)
    places = [place_behind(place, count, len(behind)) for place in range(count)]
    backs = behind.frames(places)
    first = fitted(next(backs), short)
    move = offset(people.mask(0), _fitted_mask(behind.mask(places[0]), first, short))

    def frames() -> Iterator[Frame]:
        shown = first
        for place, rgb in people.frames():
            if place:
                shown = fitted(next(backs), short)
            yield pasted(rgb, people.mask(place), shown, move)

    return Made(_size(first), list(range(count)), frames(), composed={"move": list(move)})


def _size(frame: Frame) -> tuple[int, int]:
    return frame.shape[0], frame.shape[1]


def _fitted_mask(mask: Mask | None, back: Frame, short: int) -> Mask | Grey:
    """A mask in the size of the background that it belongs to; where it is resized, grey."""
    if mask is None:
        return np.zeros(back.shape[:2], np.bool_)
    if mask.shape == back.shape[:2]:
        return mask
    grey = np.where(mask, np.uint8(255), np.uint8(0))
    return fitted(grey, short)


def conflfg(
    people: People, other: People, name: str, image: Frame, draw: np.random.Generator
) -> Made:
    """The people move in one half of a doubled frame; those of one frame of another clip stand
    still in the other half, before one background.

    The shorter side is doubled; the half is drawn, and so is the frame, of those with people. The
    standing ones are resized to fit into their half, and stand in its middle. Its generator was not
    released: this is our reading of the figure.
    """
    height, width = people.size
    side = SIDES[int(draw.integers(2))]
    place = int(draw.choice(np.flatnonzero(other.shares)))
    across = width < height
    back = stretched(image, *((height, 2 * width) if across else (2 * height, width)))
    halves = dict(zip(SIDES, np.split(back.copy(), 2, axis=1 if across else 0), strict=True))
    resting = SIDES[side == SIDES[0]]
    still = _standing(other.frame(place), other.mask(place), halves[resting])

    def frames() -> Iterator[Frame]:
        for at, rgb in people.frames():
            moving = over(rgb, people.mask(at), np.ascontiguousarray(halves[side]))
            two = (moving, still) if side == SIDES[0] else (still, moving)
            yield np.concatenate(two, axis=1 if across else 0)

    told = {"half": side, "still_id": other.record["id"], "still_frame": other.numbers[place]}
    fields = {"background_id": name, "still_label": other.record.get("label")}
    return Made(_size(back), list(range(len(people))), frames(), fields, told)


def _standing(rgb: Frame, mask: Mask, half: Frame) -> Frame:
    """The people of a frame, as large as they fit, in the middle of their half."""
    scale = min(half.shape[0] / mask.shape[0], half.shape[1] / mask.shape[1])
    size = max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale))
    shown = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    shape = cv2.resize(mask.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    move = (half.shape[0] - size[1]) // 2, (half.shape[1] - size[0]) // 2
    return pasted(shown, np.asarray(shape, np.uint8).view(np.bool_), half, move)
