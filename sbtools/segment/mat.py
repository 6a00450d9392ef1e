"""Masks from MATLAB files, as JHMDB has them: FOLDER/CLASS/<id>/puppet_mask.mat.

`part_mask`, [H, W, T], says which part of the puppet each pixel is of, 0 none; its slice t is of
image t + 1, which is frame t, and there may be fewer slices than images (lihaoxin05/StillMix
cb32bca, benchmark_synthesis/replacebackground_with_mask_for_HMDB51_test.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.detect.base import Clip
from sbtools.errors import ClipError, UsageError
from sbtools.records import Record
from sbtools.segment.base import FrameMasks
from sbtools.segment.folders import of_clip
from sbtools.segment.given import GivenMasks
from sbtools.segment.matlab import read_numbers

FILE, KEY = "puppet_mask.mat", "part_mask"


class MatSegmenter(GivenMasks):
    """Looks masks up in a folder of puppet_mask.mat, in folders named by the ids of the clips.

    Frames behind the last slice have no mask. UsageError when there is no such folder.
    """

    name = "mat"

    def __init__(self, folder: str) -> None:
        if not os.path.isdir(folder):
            raise UsageError(f"there is no folder {folder} with masks")
        self.folder = folder
        self._read: tuple[str, NDArray[Any]] | None = None

    def describe(self) -> dict[str, Any]:
        """Name and folder; what the files hold is not looked at."""
        return {"name": self.name, "folder": self.folder}

    def frames(self, record: Record) -> list[int]:
        """The numbers of the slices."""
        return list(range(self._parts(record["id"]).shape[2]))

    def masks(self, record: Record, clip: Clip) -> Iterator[FrameMasks]:
        """The masks of every wanted frame: any part is the person."""
        parts = self._parts(clip.id)
        rows, columns, _ = parts.shape
        if (rows, columns) != (clip.height, clip.width):
            size = f"{columns}x{rows}, the frame is {clip.width}x{clip.height}"
            raise ClipError("mismatch", f"{self._path(clip.id)} is {size}")
        nothing = np.zeros((rows, columns), np.bool_)
        for number in clip.wanted:
            yield FrameMasks(number, parts[:, :, number] > 0, nothing)

    def _path(self, id: str) -> str:
        return os.path.join(of_clip(self.folder, id), FILE)

    def _parts(self, id: str) -> NDArray[Any]:
        if self._read is None or self._read[0] != id:
            self._read = id, _parts_of(self._path(id))
        return self._read[1]


def _parts_of(path: str) -> NDArray[Any]:
    """[H, W, T]; MATLAB drops the last axis where T is 1."""
    parts = read_numbers(path, KEY)
    if parts.ndim == 2:
        parts = parts[:, :, None]
    if parts.ndim != 3 or 0 in parts.shape:
        shape = "x".join(map(str, parts.shape))
        raise ClipError("mismatch", f"{path}: {KEY} is {shape}, not height x width x frames")
    return parts
