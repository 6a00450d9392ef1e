"""The boxes of a clip: rows of one dataset, prompts, and tracks in another where there are any."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from sbtools.store.checksums import crc32
from sbtools.store.datasets import write_attributes, write_small
from sbtools.store.layout import BOX, DTYPES, NO_TRACK, ROLES


def write_boxes(group: h5py.Group, boxes: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Write boxes given as those of a record; their prompts, numbered, become an attribute.

    Their tracks are a dataset of its own, where any box has one. The checksums are returned by
    name; that of boxes is of both rows and prompts.
    """
    sums = {"boxes": _write_rows(group, boxes)}
    tracks = [NO_TRACK if box.get("track") is None else box["track"] for box in boxes]
    if any(track != NO_TRACK for track in tracks):
        sums["track"] = write_small(group, "track", np.array(tracks, DTYPES["track"]))
    return sums


def _write_rows(group: h5py.Group, boxes: Sequence[Mapping[str, Any]]) -> int:
    prompts = list(dict.fromkeys(box["prompt"] for box in boxes))
    number = {prompt: place for place, prompt in enumerate(prompts)}
    corners = upward([box["xyxy"] for box in boxes]).tolist()
    rows = [
        (box["frame"], ROLES.index(box["role"]), *xyxy, box["score"], number[box["prompt"]])
        for box, xyxy in zip(boxes, corners, strict=True)
    ]
    table, text = np.array(rows, BOX), json.dumps(prompts)
    write_small(group, "boxes", table)
    write_attributes(group["boxes"], {"prompts": text})
    return crc32(table.tobytes(), text.encode())


def upward(values: Any) -> NDArray[np.float32]:
    """The least float32 that is not below each of the values.

    Against a number that float32 holds, the centre of a pixel, each compares as its value did; the
    nearest float32 does not.
    """
    exact = np.asarray(values, np.float64)
    with np.errstate(over="ignore"):
        near = exact.astype(np.float32)
    return np.where(near < exact, np.nextafter(near, np.float32(np.inf)), near)


def as_record(
    rows: NDArray[Any], prompts: Sequence[str], tracks: NDArray[np.int32] | None
) -> list[dict[str, Any]]:
    """Boxes as the `boxes` of a record; ValueError where their parts do not belong together."""
    if rows.size and (rows["role"].max() >= len(ROLES) or rows["prompt"].max() >= len(prompts)):
        raise ValueError("boxes name a role or a prompt that is not there")
    found = [_box(row, prompts) for row in rows.tolist()]
    if tracks is None:
        return found
    if len(tracks) != len(rows) or (tracks < NO_TRACK).any():
        raise ValueError("track is not one of each box")
    return [
        box if track == NO_TRACK else {**box, "track": track}
        for box, track in zip(found, tracks.tolist(), strict=True)
    ]


def _box(row: tuple[Any, ...], prompts: Sequence[str]) -> dict[str, Any]:
    box = dict(zip(BOX.names or (), row, strict=True))
    return {
        "frame": box["frame"],
        "xyxy": [box["x0"], box["y0"], box["x1"], box["y1"]],
        "score": box["score"],
        "role": ROLES[box["role"]],
        "prompt": prompts[box["prompt"]],
    }
