"""People before other backgrounds: by Pillow, scipy and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from sbtools.compose import composite
from sbtools.errors import ClipError

DRAWN = np.random.default_rng(3)


def frame(height: int, width: int) -> Any:
    return DRAWN.integers(0, 256, (height, width, 3), dtype=np.uint8)


def mask(height: int, width: int) -> Any:
    return DRAWN.random((height, width)) < 0.4


def test_a_composite_is_its_equation() -> None:
    front, back = (np.stack([frame(9, 12) for _ in range(4)]) for _ in range(2))
    shape = np.stack([mask(9, 12) for _ in range(4)])
    m = shape[..., None].astype(float)
    wanted = (front.astype(float) * m + back.astype(float) * (1 - m)).astype(np.uint8)
    assert np.array_equal(composite.over(front, shape, back), wanted)
    for one, two, three in ((front, shape[:, 1:], back), (front, shape, back[:3])):
        with pytest.raises(ClipError, match=r"a frame is 4x9x12, its mask"):
            composite.over(one, two, three)


@pytest.mark.parametrize("move", [(0, 0), (3, -2), (-7, 5), (40, 0), (0, -40)])
def test_what_is_pasted_is_cut_at_the_edge(move: tuple[int, int]) -> None:
    front, shape, back = frame(10, 14), mask(10, 14), frame(12, 9)
    wanted = Image.fromarray(back)
    wanted.paste(Image.fromarray(front), move[::-1], Image.fromarray(shape).convert("L"))
    kept = back.copy()
    assert np.array_equal(composite.pasted(front, shape, back, move), np.asarray(wanted))
    assert np.array_equal(back, kept)


def test_a_person_is_moved_to_where_the_other_stood() -> None:
    one, other = np.zeros((20, 30), bool), np.zeros((24, 18), bool)
    one[2:9, 3:8], other[10:21, 2:4] = True, True
    centres = [ndimage.center_of_mass(each) for each in (one, other)]
    wanted = tuple(int(b - a) for a, b in zip(*centres, strict=True))
    assert composite.offset(one, other) == wanted == (10, -2)
    assert composite.middle(np.zeros((5, 8), bool)) == (2.5, 4.0)


def test_frames_behind_are_those_of_the_same_share() -> None:
    """numpy rounds halves to even, as HAT's code does."""
    found = [composite.place_behind(n, 8, 12) for n in range(8)]
    assert found == [0, 2, 3, 4, 6, 8, 9, 10]  # of 0 1.5 3 4.5 6 7.5 9 10.5
    assert composite.place_behind(9, 10, 4) == 3  # of 3.6, cut to the last


def test_sizes() -> None:
    assert composite.fitted(frame(40, 30), 15).shape == (20, 15, 3)
    assert composite.fitted(frame(31, 47), 20).shape == (20, 30, 3)
    image = frame(8, 8)
    assert composite.fitted(image, 8) is image and composite.stretched(image, 8, 8) is image
    assert np.array_equal(composite.stretched(image, 6, 20),
                          np.asarray(Image.fromarray(image).resize((20, 6))))  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "shares", "good"),
    [
        ("none", [0.0, 0.0], True),
        ("hat", [0.05, 0.05], True),
        ("hat", [0.0, 0.09], False),
        ("hat", [0.5, 0.5], True),
        ("hat", [0.4, 0.62], False),
        ("scuba-k400", [0.1] * 9 + [0.0], True),
        ("scuba-k400", [0.1] * 8 + [0.09] * 2, False),
        ("scuba-k400", [1.0] * 10, True),
        ("hat", [], False),
    ],
)
def test_which_clips_are_valid(rule: str, shares: list[float], good: bool) -> None:
    least, most, frames, _ = composite.RULES[rule]
    assert composite.is_valid(np.array(shares), least, most, frames) is good
