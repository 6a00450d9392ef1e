from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sbtools.detect import camera
from tests.detect.made import texture

WALL = cv2.cvtColor(texture(3, 400, 500, 40, 220), cv2.COLOR_RGB2GRAY)


def seen(x: float, y: float, turn: float = 0.0) -> NDArray[np.uint8]:
    """The wall from (x, y), 160 x 120, turned by `turn` radians."""
    c, s = np.cos(turn), np.sin(turn)
    matrix = np.array([[c, -s, x], [s, c, y]])
    return cv2.warpAffine(WALL, matrix, (160, 120), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


@pytest.mark.parametrize("dx, dy", [(0, 0), (3, 0), (-6, 4), (11, -9)])
def test_a_pan_is_measured_to_a_fraction_of_a_pixel(dx: int, dy: int) -> None:
    found = camera.estimate(seen(100, 100), seen(100 + dx, 100 + dy))
    assert found is not None
    np.testing.assert_allclose(found.matrix, [[1, 0, -dx], [0, 1, -dy]], atol=0.3)
    assert found.support > 0.6


def test_a_turn_is_measured() -> None:
    found = camera.estimate(seen(100, 100), seen(100, 100, 0.03))
    assert found is not None
    corner = found.matrix @ (150, 110, 1)
    c, s = np.cos(0.03), np.sin(0.03)
    np.testing.assert_allclose(corner, np.array([[c, s], [-s, c]]) @ (150, 110), atol=0.5)


def test_someone_large_in_the_middle_is_not_the_background() -> None:
    a, b = seen(100, 100), seen(104, 100)
    person = texture(9, 120, 160, 0, 255)[..., 0]
    a[30:, 50:110] = person[30:, 50:110]
    b[30:, 55:115] = person[30:, 50:110]
    found = camera.estimate(a, b)
    assert found is not None
    np.testing.assert_allclose(found.matrix, [[1, 0, -4], [0, 1, 0]], atol=0.4)


def test_a_textured_person_before_a_wall_with_a_few_things_on_it_does_not_move_the_camera() -> None:
    a, b = np.full((2, 120, 160), 120, np.uint8)
    for image in (a, b):
        for x, y in [
            (8, 10),
            (40, 8),
            (70, 6),
            (110, 9),
            (140, 12),
            (10, 50),
            (145, 60),
            (140, 100),
        ]:
            image[y : y + 9, x : x + 12] = 200
        image[80:90, 12:22] = image[105:112, 15:40] = 40
    person = texture(9, 120, 160, 0, 255)[..., 0]
    a[40:, 50:110] = person[40:, 50:110]
    b[40:, 53:113] = person[40:, 50:110]
    found = camera.estimate(a, b)
    assert found is not None
    np.testing.assert_allclose(found.matrix, [[1, 0, 0], [0, 1, 0]], atol=0.1)


def test_nothing_to_follow_is_no_estimate() -> None:
    blank = np.full((120, 160), 90, np.uint8)
    assert camera.estimate(blank, blank) is None
