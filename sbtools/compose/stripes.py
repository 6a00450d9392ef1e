"""Backgrounds of wavy stripes in two colours, that show nothing."""

from __future__ import annotations

from math import pi

import numpy as np
from numpy.typing import NDArray

SIDE = 256
CANVAS = 384
MIDDLE = 128


def stripes(draw: np.random.Generator) -> NDArray[np.uint8]:
    """A background uint8 [256, 256, 3]: stripes of a colour's opposite on that colour.

    A curve y = A sin(w x + t) + 128, drawn with some width and repeated up and down, is turned by
    an angle; the draws come in the order of the official code, whose first stripe ends at row 255
    of 384, as here.

    Source: lihaoxin05/StillMix 8babb01, benchmark_synthesis/, stripe_img: the "stripe" sets of
    SCUBA, which others call sinusoid.
    """
    from PIL import Image

    colour = draw.random(3)
    painted = _curve(draw)
    shown = np.where(painted[..., None], 1 - colour, colour)
    image = Image.fromarray(np.uint8(shown * 255))
    turned = image.rotate(draw.random() * 360, Image.Resampling.NEAREST, expand=True)
    left, top = ((length - SIDE) // 2 for length in turned.size)
    right, bottom = ((length + SIDE) // 2 for length in turned.size)
    return np.asarray(turned.crop((left, top, right, bottom)))


def _curve(draw: np.random.Generator) -> NDArray[np.bool_]:
    """Where the stripes are, before they are turned: bool [384, 384]."""
    half = 5 + 15 * draw.random()
    period = (3 + 2 * draw.random()) * half
    w = 2 * pi / (draw.random() * 1000 + 4)
    t = (draw.random() * 200 - 100) * w
    height = 10 + draw.random() * 100
    x = np.arange(CANVAS)
    y = height * np.sin(w * x + t) + MIDDLE
    painted = np.zeros((CANVAS, CANVAS), bool)
    for column in np.flatnonzero((y > 0) & (y < CANVAS)):
        first = int(max(0, y[column] - half))
        last = int(min(255, y[column] + half))
        painted[first:last, column] = True
        _repeat(painted[:, column], first, last, period)
    return painted


def _repeat(column: NDArray[np.bool_], first: int, last: int, period: float) -> None:
    """The rows first to last once more in every period above and below."""
    times = 1
    while int(last - times * period) > 0:
        column[max(0, int(first - times * period)) : int(last - times * period)] = True
        times += 1
    times = 1
    while int(first + times * period) < CANVAS:
        column[int(first + times * period) : min(CANVAS, int(last + times * period))] = True
        times += 1
