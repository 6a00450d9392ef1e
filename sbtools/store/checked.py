"""What is read of a clip, held against the checksums that were written with it."""

from __future__ import annotations

import numpy as np
from h5py import h5a, h5d, h5g, h5t
from numpy.typing import NDArray

from sbtools.store.checksums import ATTRIBUTE, ATTRIBUTES, changed, crc32, of_attributes, parsed
from sbtools.store.safe import attributes, guarded, names

_NAME = ATTRIBUTE.encode()
_UINT32 = h5t.py_create(np.dtype("<u4"))


class Checked:
    """The attributes of a clip's group and the names of its datasets, checked; checks the rest.

    Each method raises DamagedError for what is not as it was written. A part of an earlier version
    has no checksums (`sealed` is False), nor has any clip of it, and passes.
    """

    def __init__(self, group: h5g.GroupID, key: str, where: str, sealed: bool) -> None:
        self._where = where
        self._sums: dict[str, int] | None = None
        self._frames: dict[str, NDArray[np.uint32]] = {}
        self.attrs = attributes(group, where)
        self.datasets = names(group, where)
        if sealed != (ATTRIBUTE in self.attrs):
            raise changed(where)
        if not sealed:
            return
        self._sums = parsed(self.attrs.pop(ATTRIBUTE), where)
        told = self._sums.get(ATTRIBUTES)
        if told != of_attributes(key, self.attrs):
            raise changed(f"{where}: an attribute")
        if self._sums.keys() - {ATTRIBUTES} != set(self.datasets):
            raise changed(f"{where}: what it holds")

    def require(self, name: str, *pieces: bytes) -> None:
        """Hold the bytes of a dataset, and what belongs to it, against its checksum."""
        if self._sums is not None and self._sums.get(name) != crc32(*pieces):
            raise changed(f"{self._where}/{name}")

    def require_frame(
        self, data: h5d.DatasetID, name: str, place: int, frame: NDArray[np.uint8]
    ) -> None:
        """Hold one frame of a dataset of images against its checksum."""
        if self._sums is None:
            return
        if name not in self._frames:
            self._frames[name] = self._of_frames(data, name)
        if self._frames[name][place] != crc32(frame.data):
            raise changed(f"{self._where}/{name}: frame {place}")

    def _of_frames(self, data: h5d.DatasetID, name: str) -> NDArray[np.uint32]:
        where = f"{self._where}/{name}"
        found = np.empty(data.shape[:1], "<u4")
        with guarded(f"{where}: attribute {ATTRIBUTE}"):
            if not h5a.exists(data, _NAME):
                raise changed(f"{where}: attribute {ATTRIBUTE}")
            there = h5a.open(data, _NAME)
            if there.shape != found.shape or not there.get_type().equal(_UINT32):
                raise changed(f"{where}: attribute {ATTRIBUTE}")
            there.read(found)
        self.require(name, found.tobytes())
        return found
