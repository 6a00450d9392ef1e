from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbtools.detect import boxes


def test_values_worked_out_by_hand() -> None:
    a, b = (0.0, 0.0, 4.0, 2.0), (2.0, 1.0, 6.0, 3.0)
    assert boxes.area(a) == 8
    assert boxes.overlap(a, b) == 2
    assert boxes.iou(a, b) == pytest.approx(2 / 14)
    assert boxes.inside(a, (1.0, 0.0, 2.0, 4.0)) == pytest.approx(2 / 4)
    assert boxes.hull([a, b]) == (0, 0, 6, 3)
    assert boxes.mean([a, b], [3, 1]) == (0.5, 0.25, 4.5, 2.25)
    assert boxes.grow(a, 0.5) == (-2, -1, 6, 3)
    assert boxes.clip((-1.0, 1.0, 9.0, 9.0), 5, 7) == (0, 1, 7, 5)


def test_boxes_that_are_empty_or_turned_inside_out_overlap_nothing() -> None:
    assert boxes.area((3.0, 3.0, 1.0, 1.0)) == 0
    assert boxes.iou((1.0, 1.0, 1.0, 1.0), (1.0, 1.0, 1.0, 1.0)) == 0
    assert boxes.inside((1.0, 1.0, 1.0, 5.0), (0.0, 0.0, 9.0, 9.0)) == 0


def test_suppression_keeps_the_best_of_each_pile() -> None:
    pile = [(0.0, 0.0, 10.0, 10.0), (1.0, 0.0, 11.0, 10.0), (20.0, 0.0, 30.0, 10.0)]
    assert boxes.suppress(pile, [0.5, 0.9, 0.1], 0.4) == [1, 2]
    assert boxes.suppress(pile, [0.5, 0.5, 0.5], 0.4) == [0, 2]


def test_raster_is_the_pixels_whose_centres_lie_inside() -> None:
    rows, columns = boxes.raster((0.6, 1.5, 3.4, 2.4), 10, 10)
    assert (rows.start, rows.stop, columns.start, columns.stop) == (1, 2, 1, 3)


@given(st.integers(0, 5), st.integers(0, 5), st.integers(1, 4), st.integers(1, 4))
def test_raster_is_the_box_of_whole_pixels(x: int, y: int, w: int, h: int) -> None:
    box = (float(x), float(y), float(x + w), float(y + h))
    mask = np.zeros((10, 10), bool)
    mask[boxes.raster(box, 10, 10)] = True
    rows, columns = np.nonzero(mask)
    assert mask.sum() == w * h
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == box


def test_the_core_leaves_thin_tails_out() -> None:
    weights = np.zeros((100, 100), np.float32)
    weights[20:60, 30:50] = 1
    weights[0, 0] = 1
    x0, y0, x1, y1 = boxes.core(weights)
    assert (round(x0), round(x1)) == pytest.approx((30, 50), abs=1)
    assert (round(y0), round(y1)) == pytest.approx((20, 60), abs=1)
