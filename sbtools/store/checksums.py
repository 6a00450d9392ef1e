"""Checksums of what a part holds, so that a value which HDF5 itself has set does not go unseen.

HDF5's own agree with whatever was last written by means of HDF5. These are CRC-32 as zlib has it,
in attributes of the name crc32: of a dataset of images uint32 [T], one for each frame; of a clip's
group and of the root JSON, {name: number} (sbtools-store(5)).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from sbtools.errors import DamagedError
from sbtools.records.parse import strict_json

ATTRIBUTE = "crc32"
ATTRIBUTES = "attributes"
"""Under which name the checksum of a group's attributes stands."""

ANEW = ": delete that file, and run the command that made it again"


def crc32(*pieces: bytes | memoryview) -> int:
    """The CRC-32 of the pieces, one after another."""
    found = 0
    for piece in pieces:
        found = zlib.crc32(piece, found)
    return found


def of_frames(images: NDArray[np.uint8]) -> list[int]:
    """The CRC-32 of each of some frames [t, ...] that lie in memory without gaps."""
    return [zlib.crc32(image.data) for image in images]


def of_attributes(key: str, attrs: Mapping[str, Any]) -> int:
    """That of a clip's attributes and of the name of its group; its own attribute is left out."""
    rest = {name: value for name, value in attrs.items() if name != ATTRIBUTE}
    return crc32(json.dumps([key, rest], sort_keys=True).encode("ascii"))


def described(sums: Mapping[str, int]) -> str:
    """The attribute of a group."""
    return json.dumps(sums, sort_keys=True)


def parsed(text: object, where: str) -> dict[str, int]:
    """What `described` made; DamagedError for anything else."""
    try:
        found = strict_json(str(text).encode("utf-8", "surrogatepass"))
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(type(number) is int for number in found.values()):
        raise DamagedError(f"{where}: attribute {ATTRIBUTE} is damaged{ANEW}")
    return found


def write_of_frames(data: h5py.Dataset, sums: list[int]) -> int:
    """Give a dataset of images the checksums of its frames; their own is returned."""
    values = np.array(sums, "<u4")
    data.attrs.create(ATTRIBUTE, values)
    return crc32(values.tobytes())


def changed(what: str) -> DamagedError:
    """The error for what has another checksum than when it was written."""
    return DamagedError(f"{what} was changed since it was written{ANEW}")
