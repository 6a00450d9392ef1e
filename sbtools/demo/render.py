"""Frames and exact masks of a clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sbtools import rng
from sbtools.demo.actions import ACTIONS
from sbtools.demo.figure import FINE, Part, cells, paint
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

    A pixel belongs to somebody where half or more of its sample points lie in the figure or in the
    object: to the person, unless more of them lie in the object and not in the figure. It has the
    colours of its owner alone, so that a person's pixels tell nothing of the background.
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
    image = np.clip(np.rint(plate), 0, 255).astype(np.uint8)
    person, thing = np.zeros((2, height, width), bool)
    drawn = paint(parts, height, width)
    here = _spanned(drawn.max(1)), _spanned(drawn.max(0))
    samples = cells(drawn)[here]
    things = np.isin(samples, [n for n, part in enumerate(parts, 1) if part.stuff in OBJECTS])
    bodies = (samples > 0) & ~things
    of_person, of_thing = bodies.sum(-1), things.sum(-1)
    owned = of_person + of_thing >= HALF
    person[here], thing[here] = owned & (of_person >= of_thing), owned & (of_person < of_thing)
    for mask, own in ((person, bodies), (thing, things)):
        chosen = mask[here]
        image[here][chosen] = _mean(colours[samples[chosen]], own[chosen])
    return Frame(image, person, thing)


def _spanned(used: NDArray[np.uint8]) -> slice:
    """From the pixel of the first sample point that is set to that of the last."""
    places = np.flatnonzero(used) // FINE
    return slice(places[0], places[-1] + 1) if len(places) else slice(0, 0)


def _mean(colours: NDArray[np.float32], chosen: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Mean colours uint8 [N, 3] of the sample points [N, F F, 3] that are chosen [N, F F]."""
    total = np.einsum("nsc,ns->nc", colours, chosen.astype(np.float32))
    mean: NDArray[np.uint8] = np.rint(total / chosen.sum(1, keepdims=True)).astype(np.uint8)
    return mean
