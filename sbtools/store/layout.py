"""What a store is made of: names, types, bounds (sbtools-store(5))."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sbtools.records import Record

VERSION = 1
MADE = "made.json"
Shard = tuple[int, int]
"""(index, count)."""

ROLES = ("person", "object")
GZIP = 6

FRAMES_LIMIT = 1 << 22
PIXELS_LIMIT = 1 << 26
ROWS_LIMIT = 1 << 30
BYTES_LIMIT = 1 << 26
"""Of a clip's frames, of a frame's pixels, of the bytes of a dataset of rows and of any other
dataset; beyond is refused."""

BOX = np.dtype(
    [
        ("frame", "<i8"),
        ("role", "u1"),
        ("x0", "<f4"),
        ("y0", "<f4"),
        ("x1", "<f4"),
        ("y1", "<f4"),
        ("score", "<f4"),
        ("prompt", "<u2"),
    ]
)
NO_TRACK = -1
"""The track of a box that has none, beside others that have one."""


@dataclass(frozen=True)
class Kind:
    """One sort of store: its datasets, and the field of a record that holds its addresses, or one
    of `others` in its place.

    A store of rows has no group and no address for each clip: clip i of /index is row i of the
    datasets in /views/NAME.
    """

    format: str
    field: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    rows: bool = False
    others: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """All fields that may hold an address in such a store."""
        return (self.field, *self.others) if self.field else ()

    @property
    def datasets(self) -> tuple[str, ...]:
        """All that may stand in a clip's group, or, in a store of rows, in a view's."""
        return (*(() if self.rows else ("record",)), *self.required, *self.optional)


KINDS = {
    "masks": Kind(
        "sbtools-masks", "masks", ("frame", "time", "person"), ("object", "boxes", "track"), ROLES
    ),
    "pixels": Kind("sbtools-pixels", "pixels", ("frame", "time", "rgb"), (), ("rgb",)),
    "features": Kind(
        "sbtools-features", "features", ("features",), others=("scene_scores", "frame_scores")
    ),
    "scores": Kind("sbtools-scores", "", ("scores",), ("covered", "area"), rows=True),
}
FORMATS = {kind.format: kind for kind in KINDS.values()}
ADDRESSES = tuple(field for kind in KINDS.values() for field in kind.fields)
"""The fields of a record that lead into a store."""

DTYPES: dict[str, np.dtype[Any]] = {
    "record": np.dtype("u1"),
    "frame": np.dtype("<i8"),
    "time": np.dtype("<f8"),
    "person": np.dtype("u1"),
    "object": np.dtype("u1"),
    "rgb": np.dtype("u1"),
    "boxes": BOX,
    "track": np.dtype("<i4"),
    "features": np.dtype("<f4"),
    "scores": np.dtype("<f4"),
    "covered": np.dtype("<f4"),
    "area": np.dtype("<f4"),
}

_PART = re.compile(r"(\d{3,})of(\d{3,})-(\d{5,})\.h5")


def image_shape(name: str, height: int, width: int) -> tuple[int, ...]:
    """The shape of one frame of a dataset of images."""
    return (height, width, 3) if name == "rgb" else (height, (width + 7) // 8)


def chunk_rows(count: int, width: int) -> int:
    """How many of `count` rows of `width` float32 values a chunk holds: about 1 MiB."""
    return max(1, min(count, (1 << 18) // max(width, 1)))


def shard_name(shard: tuple[int, int]) -> str:
    """(3, 64) -> "003of064"."""
    return f"{shard[0]:03d}of{shard[1]:03d}"


def part_name(shard: tuple[int, int], number: int) -> str:
    """((3, 64), 0) -> "003of064-00000.h5"."""
    return f"{shard_name(shard)}-{number:05d}.h5"


def parts_of(folder: str) -> dict[str, tuple[tuple[int, int], int]]:
    """The parts of a store: name -> (shard, number), sorted by shard and number."""
    found = {}
    for name in os.listdir(folder):
        if match := _PART.fullmatch(name):
            index, count, number = map(int, match.groups())
            if part_name((index, count), number) == name:
                found[name] = ((index, count), number)
    return dict(sorted(found.items(), key=lambda item: (item[1][0][::-1], item[1][1])))


def split_address(address: str) -> tuple[str, str]:
    """("masks/003of064-00000.h5", KEY) of "masks/003of064-00000.h5::clips/KEY"."""
    path, _, key = address.rpartition("::clips/")
    return path, key


def without_parts(record: Record) -> Record:
    """The record with its addresses cut to "::clips/KEY": equal wherever the clip was stored."""
    found = addresses(record).items()
    return {**record, **{name: "::clips/" + split_address(told)[1] for name, told in found}}


def addresses(record: Record) -> dict[str, str]:
    """The addresses in a record, by field; scores may stand there themselves."""
    return {name: record[name] for name in ADDRESSES if isinstance(record.get(name), str)}


def without_version(what: Mapping[str, Any]) -> dict[str, Any]:
    """`made.what` without the tool's own version, which may differ within a store."""
    return {name: value for name, value in what.items() if name != "version"}
