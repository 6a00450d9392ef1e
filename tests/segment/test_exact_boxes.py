"""No pixel is lost between a box and its mask: pixel by pixel, against the box as it was given."""

from __future__ import annotations

from math import nextafter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sbtools.backends import BackendSpec
from sbtools.detect.stage import detect
from sbtools.index import folder
from sbtools.job import Job
from sbtools.mask.shapes import Shapes
from sbtools.records import Record, dump, parse
from sbtools.rng import generator
from sbtools.segment.stage import Segmentation, segment
from sbtools.store import Stores
from tests.making import make_clips

HEIGHT, WIDTH = 72, 96


def drawn(boxes: list[list[float]]) -> NDArray[np.bool_]:
    """[H, W]: the pixels whose centres, exact in float64, lie in [x0, x1) x [y0, y1)."""
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    for x0, y0, x1, y1 in boxes:
        columns = [x0 <= x + 0.5 < x1 for x in range(WIDTH)]
        rows = [y0 <= y + 0.5 < y1 for y in range(HEIGHT)]
        mask |= np.outer(rows, columns)
    return mask


def hostile_boxes() -> list[list[float]]:
    """Boxes whose corners are at centres of pixels, a hair beside them, and anywhere."""
    rng = generator(0, "boxes", "test")
    found = []
    for _ in range(16):
        x0, y0 = rng.integers(0, 40, 2) + 0.5
        box = [x0, y0, x0 + int(rng.integers(1, 50)), y0 + int(rng.integers(1, 30))]
        for step in (0.0, 1e-12, 1e-7, 0.004, 0.006):
            found.append([float(side + rng.choice([-1, 1]) * step) for side in box])
        found.append([nextafter(side, 1e9) for side in box])
        found.append([nextafter(side, 0) for side in box])
    return found


def clip_of(tmp_path: Path, frames: int) -> Record:
    make_clips(tmp_path / "clips", 1, frames=frames)
    (record,) = folder.to_records(folder.find([str(tmp_path / "clips")]), tmp_path, "folder")
    return record


def stored(record: Record, tmp_path: Path, store: str) -> Any:
    plan = Segmentation(
        BackendSpec("detector", "motion"), BackendSpec("segmenter", "grabcut"), frames="all"
    )
    (done,) = segment([record], Job(root=tmp_path, workers=0), plan, str(tmp_path / store))
    return Stores(str(tmp_path)).clip(done["masks"])


@pytest.mark.parametrize("through_a_pipe", [False, True])
def test_every_pixel_of_a_box_is_that_of_the_box_as_it_was_given(
    tmp_path: Path, through_a_pipe: bool
) -> None:
    boxes = hostile_boxes()
    frames, each = 4, 28
    record = clip_of(tmp_path, frames)
    kept = {"score": 0.5, "role": "object", "prompt": "box"}
    record["sampled"] = list(range(frames))
    record["boxes"] = [
        {"frame": place // each, "xyxy": box, **kept} for place, box in enumerate(boxes)
    ]
    if through_a_pipe:
        record = parse(dump(record), "pipe")
    shapes = Shapes(stored(record, tmp_path, "m"), "obj-box")
    for place in range(frames):
        shown = shapes.regions(place).object
        truth = drawn(boxes[place * each : (place + 1) * each])
        assert truth.any() and np.array_equal(shown, truth), place
    for box, back in zip(boxes, shapes.stored.boxes, strict=True):
        assert np.array_equal(drawn([box]), drawn([back["xyxy"]])), box


def test_boxes_of_a_detector_come_through_a_pipe_as_they_were(tmp_path: Path) -> None:
    record = clip_of(tmp_path, 6)
    choice = BackendSpec("detector", "motion")
    (found,) = detect([record], Job(root=tmp_path, workers=0), choice, frames="all")
    again = parse(dump(found), "pipe")
    assert again["boxes"] == found["boxes"] != []
    alone, piped = (stored(one, tmp_path, name) for one, name in ((record, "a"), (again, "b")))
    assert alone.boxes == piped.boxes
    for place in range(6):
        assert np.array_equal(alone.mask("person", place), piped.mask("person", place))
