"""Masks that are the boxes of the records."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sbtools.segment.base import FrameMasks
from sbtools.segment.boxed import BoxSegmenter, filled
from tests.segment.given_clip import Frames, kind_of


def box(frame: int, *xyxy: float, role: str = "person") -> dict[str, Any]:
    return {"frame": frame, "xyxy": list(xyxy), "score": 1.0, "role": role, "prompt": role}


def masks(record: dict[str, Any], wanted: list[int]) -> list[FrameMasks]:
    return list(BoxSegmenter().masks(record, Frames("a", wanted)))


def drawn(rows: str) -> list[list[bool]]:
    return [[pixel == "#" for pixel in row] for row in rows.split()]


def test_the_union_of_the_boxes_of_a_role_is_its_mask() -> None:
    """Frames of 5 x 3; the right and lower edge of a box is exclusive."""
    boxes = [box(4, 0, 0, 2, 2), box(4, 1, 1, 4, 3), box(4, 4, 0, 5, 1, role="object")]
    (found,) = masks({"id": "a", "boxes": boxes}, [4])
    assert found.frame == 4 and found.boxes is None
    assert found.person.tolist() == drawn("##... ####. .###.")
    assert found.object.tolist() == drawn("....# ..... .....")


@pytest.mark.parametrize(
    ("xyxy", "rows"),
    [
        ((0.9, 0.9, 2.9, 1.9), "##... ..... ....."),
        ((1, 0, 1.9, 2), "..... ..... ....."),
        ((-3.5, -1, 2, 9), "##... ##... ##..."),
        ((3, 1, 99, 99), "..... ...## ...##"),
        ((2, 2, 2, 2), "..... ..... ....."),
    ],
)
def test_corners_are_cut_to_whole_pixels_as_the_official_code_does(
    xyxy: tuple[float, float, float, float], rows: str
) -> None:
    """mask[int(y1):int(y2), int(x1):int(x2)] = 1; a corner outside counts as the border there."""
    found = filled([xyxy], 3, 5)
    assert found.dtype == np.bool_ and found.tolist() == drawn(rows)


def test_frames_are_those_with_a_box_and_those_that_were_looked_at() -> None:
    record = {"id": "a", "sampled": [2, 3], "boxes": [box(7, 0, 0, 1, 1), box(3, 0, 0, 1, 1)]}
    assert BoxSegmenter().frames(record) == [2, 3, 7]
    two, three = masks(record, [2, 3])
    assert not two.person.any() and not two.object.any()
    assert three.person.sum() == 1


def test_a_record_without_boxes_is_told() -> None:
    kind, message = kind_of(lambda: BoxSegmenter().frames({"id": "a", "sampled": [1]}))
    assert kind == "missing" and "no field 'boxes': sbtools detect finds" in message
