"""Frames and exact masks of a clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sbtools import rng
from sbtools.demo.actions import ACTIONS
from sbtools.demo.figure import FINE, Part, coverage, paint
from sbtools.demo.looks import OBJECTS, shirt, skin
from sbtools.demo.motion import Motion, cameras, draw, figures
from sbtools.demo.scenes import texture

HALF = FINE * FINE // 2
MARGIN = 0.06


@dataclass(frozen=True)
class Shown:
    """All that a clip shows; `action` None is the empty scene, `object` None any or none."""

    source: str
    action: str | None
    scene: str
    clothes: str
    object: str | None = None
    pantomime: bool = False


@dataclass(frozen=True)
class Frame:
    """uint8 [H, W, 3] RGB; person and object bool [H, W], which never overlap."""

    rgb: NDArray[np.uint8]
    person: NDArray[np.bool_]
    object: NDArray[np.bool_]


def render(shown: Shown, size: int, count: int, seed: int) -> Iterator[Frame]:
    """The frames of a clip.

    A pixel belongs to the person where half or more of its sample points lie in the figure's
    shapes, and else to the object where half or more lie in the object and not in the figure.
    """
    motion = draw(seed, shown.source, size, shown.object)
    margin = int(np.ceil(MARGIN * size)) + 2
    wall = texture(shown.scene, size, margin, rng.generator(seed, shown.source, "texture"))
    plates = [_moved(wall, shift, size, margin) for shift in cameras(motion, count)]
    for plate, parts in zip(plates, _parts(shown, motion, count), strict=True):
        yield _composed(plate, parts, _colours(parts, motion, shown.clothes))


def holds(shown: Shown, size: int, seed: int) -> str | None:
    """The object that is to be seen in the clip."""
    if shown.action is None or shown.pantomime:
        return None
    return draw(seed, shown.source, size, shown.object).object


def _parts(shown: Shown, motion: Motion, count: int) -> Iterator[list[Part]]:
    if shown.action is None:
        yield from ([] for _ in range(count))
        return
    for thing, figure in figures(motion, ACTIONS[shown.action], count):
        behind = [] if thing is None or shown.pantomime else [thing]
        yield [*behind, *figure.parts]


def _moved(
    wall: NDArray[np.float32], shift: tuple[float, float], size: int, margin: int
) -> NDArray[np.float32]:
    matrix = np.array([[1, 0, shift[0] - margin], [0, 1, shift[1] - margin]])
    moved: NDArray[np.float32] = cv2.warpAffine(
        wall, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    ).astype(np.float32)
    return moved


def _colours(parts: list[Part], motion: Motion, clothes: str) -> NDArray[np.float32]:
    """RGB of each part, from row 1."""
    stuffs = {
        "skin": skin(motion.skin),
        "shirt": shirt(clothes, motion.light),
        "trousers": shirt(clothes, motion.light * 0.62),
        **{name: np.array(colour, float) for name, colour in OBJECTS.items()},
    }
    rows = [np.zeros(3), *(stuffs[part.stuff] * part.shade for part in parts)]
    return np.array(rows, np.float32)


def _composed(plate: NDArray[np.float32], parts: list[Part], colours: NDArray[np.float32]) -> Frame:
    height, width = plate.shape[:2]
    drawn = paint(parts, height, width)
    objects = [number for number, part in enumerate(parts, 1) if part.stuff in OBJECTS]
    is_object = np.isin(drawn, objects) if objects else np.zeros_like(drawn, bool)
    filled = coverage(drawn > 0)
    person, thing = coverage((drawn > 0) & ~is_object), coverage(is_object)
    cover = filled[..., None].astype(np.float32) / FINE**2
    paintwork = cv2.resize(colours[drawn], (width, height), interpolation=cv2.INTER_AREA)
    rgb = plate * (1 - cover) + paintwork
    is_person = person >= HALF
    image = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    return Frame(image, is_person, (thing >= HALF) & ~is_person)
