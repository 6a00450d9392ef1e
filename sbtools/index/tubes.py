"""Boxes of people over time, as the two annotations of UCF101-24 hold them.

pyannot.pkl and pyannot_with_class_names.pkl (gurkirt/corrected-UCF101-Annots 5de776b): x, y, width
and height, as bytes or 16 bits, of the frames from sf on, which counts from 0. UCF101v2-GT.pkl
(MCG-NJU/MOC-Detector 45c3fd0, src/datasets/dataset/dataset_annotation.py): rows of frame, which
counts from 1, x1, y1, x2 and y2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.errors import UsageError

MOST_FRAMES = 1_000_000
Rows = NDArray[np.float64]
"""[n, 5]: the frame, which counts from 0, and x0, y0, x1, y1."""


def of_segments(segments: Any, where: str) -> Iterator[tuple[int, Rows]]:
    """The class, by number, and the rows of each of pyannot.pkl's annotations of a video."""
    for segment in _items(segments, where):
        if not isinstance(segment, dict):
            raise UsageError(f"{where}: an annotation is no object with label, sf, ef and boxes")
        boxes, first, last = (segment.get(name) for name in ("boxes", "sf", "ef"))
        corners = _numbers(boxes, 4, where)
        if type(first) is not int or type(last) is not int or last - first != len(corners):
            raise UsageError(f"{where}: sf {first!a} to ef {last!a} is not {len(corners)} boxes")
        corners[:, 2:] += corners[:, :2]
        rows = np.column_stack([np.arange(len(corners)) + float(first), corners])
        yield _label(segment.get("label"), where), _checked(rows, where)


def of_tubes(tubes: Any, where: str) -> Iterator[tuple[int, Rows]]:
    """The class and the rows of each of UCF101v2-GT.pkl's tubes of a video."""
    if not isinstance(tubes, dict):
        raise UsageError(f"{where}: not an object of classes and their tubes")
    for label, arrays in tubes.items():
        for array in _items(arrays, where):
            rows = _numbers(array, 5, where)
            rows[:, 0] -= 1
            yield _label(label, where), _checked(rows, where)


def fields(tubes: Sequence[Rows]) -> dict[str, Any]:
    """The fields `sampled` and `boxes` of a record: the tubes are its tracks.

    Sampled is every frame from the first with a box to the last, so that one between them that has
    none is known to have none.
    """
    rows = [(*row, track) for track, tube in enumerate(tubes) for row in tube.tolist()]
    frames = [int(frame) for frame, *_ in rows]
    boxes = [
        {"frame": int(frame), "xyxy": [_plain(side) for side in xyxy], "score": 1.0,
         "role": "person", "prompt": "person", "track": track}
        for frame, *xyxy, track in sorted(rows, key=lambda row: row[0])
    ]  # fmt: skip
    return {"sampled": list(range(min(frames), max(frames) + 1)), "boxes": boxes}


def _plain(side: float) -> float:
    """A whole number without its .0, for records are read by people, too."""
    return int(side) if side.is_integer() else side


def _items(found: Any, where: str) -> Iterable[Any]:
    if not isinstance(found, (list, tuple)):
        raise UsageError(f"{where}: not a list of tubes")
    return found


def _label(found: Any, where: str) -> int:
    if type(found) is not int:
        raise UsageError(f"{where}: the class of a tube is {found!a}, not a number")
    return found


def _numbers(found: Any, columns: int, where: str) -> Rows:
    """A copy as float64, in which no sum of bytes can overflow."""
    if not isinstance(found, np.ndarray) or found.ndim != 2 or found.shape[1] != columns:
        raise UsageError(f"{where}: boxes are no array of {columns} columns")
    if not len(found) or found.dtype.kind not in "iuf":
        raise UsageError(f"{where}: a tube has no boxes, or they are no numbers")
    return found.astype(np.float64)


def _checked(rows: Rows, where: str) -> Rows:
    frames, (x0, y0, x1, y1) = rows[:, 0], rows[:, 1:].T
    whole = np.isfinite(rows).all() and (frames == np.floor(frames)).all()
    if not whole or frames.min() < 0 or frames.max() >= MOST_FRAMES:
        raise UsageError(f"{where}: a box has no number of a frame that a video could have")
    if (x0 > x1).any() or (y0 > y1).any() or np.abs(rows).max() > MOST_FRAMES:
        raise UsageError(f"{where}: a box ends before it begins, or no picture is so large")
    return rows
