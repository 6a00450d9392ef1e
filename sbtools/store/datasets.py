"""The datasets of one clip while they are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from sbtools.errors import ClipError
from sbtools.store.checksums import crc32, of_frames, write_of_frames
from sbtools.store.layout import (
    BYTES_LIMIT,
    FRAMES_LIMIT,
    GZIP,
    PIXELS_LIMIT,
    ROLES,
    Kind,
    image_shape,
)

Arrays = Mapping[str, Any]


class Frames:
    """The datasets of one clip that hold an image a frame: one HDF5 chunk each."""

    def __init__(
        self,
        group: h5py.Group,
        id: str,
        attrs: Mapping[str, Any],
        kind: Kind,
        compress: int | None,
    ) -> None:
        self._group = group
        self._id = id
        self._attrs = attrs
        self._kind = kind
        self._compress = compress
        self._held: dict[str, list[NDArray[Any]]] = {}
        self._sums: dict[str, list[int]] = {}

    def append(self, chunk: Arrays) -> None:
        """Write the images of a few more frames; numbers and times are held."""
        for name, values in chunk.items():
            if name not in self._kind.images:
                self._held.setdefault(name, []).append(np.asarray(values))
                continue
            images = self._summed(name, values)
            if name not in self._group:
                self._create(name, images.shape[1:], None)
            dataset = self._group[name]
            dataset.resize(len(dataset) + len(images), 0)
            dataset[len(dataset) - len(images) :] = images

    def finish(self, arrays: Arrays) -> dict[str, Any]:
        """Write whole arrays of images and count all frames; the arrays still to write."""
        rest = {name: np.concatenate(values) for name, values in self._held.items()}
        for name, values in arrays.items():
            if name in self._kind.images:
                images = self._summed(name, values)
                self._create(name, images.shape[1:], images if len(images) else None)
            else:
                rest[name] = values
        if "frame" in self._kind.required:
            self._agree(rest)
        return rest

    def seal(self) -> dict[str, int]:
        """Write the checksums of all frames; that of each dataset's is returned."""
        return {name: write_of_frames(self._group[name], sums) for name, sums in self._sums.items()}

    def _summed(self, name: str, values: Any) -> NDArray[np.uint8]:
        images = self._images(name, values)
        self._sums.setdefault(name, []).extend(of_frames(images))
        return images

    def _agree(self, rest: dict[str, Any]) -> None:
        lengths = {
            name: len(self._group[name]) for name in self._kind.images if name in self._group
        }
        lengths |= {name: len(rest[name]) for name in ("frame", "time") if name in rest}
        if not any(lengths.values()):
            raise ClipError("truncated", f"clip {self._id!a} has no frame to store")
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{count} of {name}" for name, count in lengths.items())
            raise ClipError("mismatch", f"clip {self._id!a}: {counts}")
        if len(rest["frame"]) > FRAMES_LIMIT:
            raise ClipError("too-large", f"clip {self._id!a} has more than {FRAMES_LIMIT} frames")
        numbers = np.asarray(rest["frame"])
        if len(numbers) and (numbers[0] < 0 or (np.diff(numbers) <= 0).any()):
            raise ValueError(f"clip {self._id!a}: frame numbers do not ascend")

    def _images(self, name: str, values: Any) -> NDArray[np.uint8]:
        height, width = self._attrs["height"], self._attrs["width"]
        if height * width > PIXELS_LIMIT:
            raise ClipError("too-large", f"clip {self._id!a} has frames of {height}x{width}")
        images = np.asarray(values)
        if name in ROLES and images.dtype == np.bool_ and images.ndim == 3:
            self._require(name, images.shape[1:], (height, width))
            images = np.packbits(images, axis=-1)
        self._require(name, images.shape[1:], image_shape(name, height, width))
        if images.dtype != np.uint8:
            raise ValueError(f"clip {self._id!a}: {name} is {images.dtype}, not uint8")
        return np.ascontiguousarray(images)

    def _require(self, name: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
        if shape != wanted:
            seen, size = ("x".join(map(str, sides)) for sides in (shape, wanted))
            raise ClipError("mismatch", f"clip {self._id!a}: {name} is {seen}, frame is {size}")

    def _create(self, name: str, shape: tuple[int, ...], images: NDArray[np.uint8] | None) -> None:
        self._group.create_dataset(
            name,
            shape=(0, *shape) if images is None else images.shape,
            maxshape=(None, *shape) if images is None else None,
            dtype=np.uint8,
            data=images,
            chunks=(1, *shape),
            compression=GZIP if name in ROLES else self._compress,
            fletcher32=True,
        )


def write_small(group: h5py.Group, name: str, values: NDArray[Any], gzip: bool = False) -> int:
    """Write a dataset as one chunk; its checksum is returned."""
    if values.nbytes > BYTES_LIMIT:
        raise ClipError("too-large", f"{name} takes {values.nbytes} bytes, {BYTES_LIMIT} at most")
    if values.size:
        level = GZIP if gzip else None
        group.create_dataset(
            name, data=values, chunks=values.shape, compression=level, fletcher32=True
        )
    else:
        group.create_dataset(name, data=values)
    return crc32(values.tobytes())


def write_attributes(item: h5py.Group | h5py.Dataset, attrs: Mapping[str, Any]) -> None:
    """Write scalars: integers, floats, and strings of fixed length; None is left out."""
    for name, value in attrs.items():
        if isinstance(value, str):
            data = value.encode("utf-8", "surrogatepass")
            kind = h5py.string_dtype("utf-8", max(1, len(data)))
            item.attrs.create(name, np.array(data, kind), dtype=kind)
        elif isinstance(value, (bool, int, np.integer)):
            item.attrs.create(name, int(value), dtype="<i8")
        elif value is not None:
            item.attrs.create(name, float(value), dtype="<f8")
