"""One part file while it is written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from sbtools.errors import ClipError, LockedError, OutputError
from sbtools.records import Record, dump, key_of
from sbtools.store.layout import BOX, DTYPES, GZIP, ROLES, VERSION, Kind, image_shape
from sbtools.store.output import NewFile, failpoint, sync_folder, temporary_of, writing

Arrays = Mapping[str, Any]


class Part:
    """Clips on their way into folder/name; nothing stands there before `commit`.

    `compress` is the gzip level of rgb frames, None for none. Methods raise OutputError when the
    disk is full; then, and on any other way out, `abandon` removes what was written.
    """

    def __init__(self, folder: str, name: str, kind: Kind, compress: int | None) -> None:
        self.path = os.path.join(folder, name)
        self._folder = folder
        self._kind = kind
        self._compress = compress
        self._index: list[bytes] = []
        self._keys: set[str] = set()
        self._temporary = temporary_of(folder, name)
        with writing(self.path):
            self._file = NewFile(self._temporary)
        self._h5 = h5py.File(self._file, "w", libver=("v110", "v110"))
        self._clips = self._h5.create_group("clips")

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._file.size

    def __len__(self) -> int:
        return len(self._index)

    def holds(self, id: str) -> bool:
        """Whether the clip is in this part."""
        return key_of(id) in self._keys

    def add(
        self,
        record: Record,
        attrs: Mapping[str, Any],
        chunks: Iterable[Arrays],
        arrays: Arrays,
        boxes: Sequence[Mapping[str, Any]] | None,
        supersedes: str | None,
    ) -> None:
        """Write one clip; whatever is raised, the part is as if it had not been begun.

        `chunks` hold [t, ...] frames each; all else is read after the last of them.
        """
        key = key_of(record["id"])
        group = self._clips.create_group(key)
        try:
            self._fill(group, record, attrs, chunks, arrays, boxes)
        except BaseException:
            with suppress(Exception):
                del self._clips[key]
            self._check()
            raise
        self._check()
        line = {"id": record["id"], "digest": attrs.get("digest"), "record": record}
        self._index.append(dump({**line, "supersedes": supersedes} if supersedes else line))
        self._keys.add(key)

    def _fill(
        self,
        group: h5py.Group,
        record: Record,
        attrs: Mapping[str, Any],
        chunks: Iterable[Arrays],
        arrays: Arrays,
        boxes: Sequence[Mapping[str, Any]] | None,
    ) -> None:
        frames = _Frames(group, record["id"], attrs, self._kind, self._compress)
        for chunk in chunks:
            frames.append(chunk)
            self._check()
        found = frames.finish(arrays)
        for name in self._kind.required:
            if name not in group and name not in found:
                raise ValueError(f"clip {record['id']!a}: no {name}")
        for name, values in found.items():
            if name not in self._kind.datasets:
                raise ValueError(f"clip {record['id']!a}: {name} has no place in this store")
            _small(group, name, np.ascontiguousarray(values, DTYPES[name]))
        if boxes is not None:
            _boxes(group, boxes)
        _attributes(group, {"id": record["id"], **attrs})
        _small(group, "record", np.frombuffer(dump(record)[:-1], np.uint8))

    def _check(self) -> None:
        if self._file.error is not None:
            raise OutputError(f"cannot write {self.path}: {self._file.error.strerror}")

    def commit(self, made: Mapping[str, Any], guard: Callable[[], None]) -> None:
        """Finish the file, bring it to the disk and give it its name; `guard` may still object."""
        try:
            _small(self._h5, "index", np.frombuffer(b"".join(self._index), np.uint8), gzip=True)
            _attributes(self._h5, {"format": self._kind.format, "version": VERSION})
            _attributes(self._h5, {"made": json.dumps(made, allow_nan=False)})
            self._h5.flush()
            _attributes(self._h5, {"complete": 1})
            self._h5.close()
            self._check()
            failpoint("after_write")
            with writing(self.path):
                self._file.sync()
            failpoint("after_fsync")
            guard()
            self._rename()
        except BaseException:
            self.abandon()
            self._check()
            raise

    def _rename(self) -> None:
        if os.path.lexists(self.path):
            raise LockedError(f"{self.path} was made by another process: stop one of the two")
        failpoint("before_rename")
        with writing(self.path):
            self._file.close()
            os.replace(self._temporary, self.path)
            failpoint("after_rename")
            sync_folder(self._folder)

    def abandon(self) -> None:
        """Remove the temporary file."""
        with suppress(Exception):
            self._h5.close()
        self._file.close()
        with suppress(OSError):
            os.unlink(self._temporary)


class _Frames:
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

    def append(self, chunk: Arrays) -> None:
        """Write the images of a few more frames; numbers and times are held."""
        for name, values in chunk.items():
            if name not in self._kind.images:
                self._held.setdefault(name, []).append(np.asarray(values))
                continue
            images = self._images(name, values)
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
                images = self._images(name, values)
                self._create(name, images.shape[1:], images if len(images) else None)
            else:
                rest[name] = values
        if "frame" in self._kind.required:
            self._agree(rest)
        return rest

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
        numbers = np.asarray(rest["frame"])
        if len(numbers) and (numbers[0] < 0 or (np.diff(numbers) <= 0).any()):
            raise ValueError(f"clip {self._id!a}: frame numbers do not ascend")

    def _images(self, name: str, values: Any) -> NDArray[np.uint8]:
        height, width = self._attrs["height"], self._attrs["width"]
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


def _small(group: h5py.Group, name: str, values: NDArray[Any], gzip: bool = False) -> None:
    """A dataset of one chunk."""
    if values.size:
        level = GZIP if gzip else None
        group.create_dataset(
            name, data=values, chunks=values.shape, compression=level, fletcher32=True
        )
    else:
        group.create_dataset(name, data=values)


def _boxes(group: h5py.Group, boxes: Sequence[Mapping[str, Any]]) -> None:
    prompts = list(dict.fromkeys(box["prompt"] for box in boxes))
    number = {prompt: place for place, prompt in enumerate(prompts)}
    rows = [
        (box["frame"], ROLES.index(box["role"]), *box["xyxy"], box["score"], number[box["prompt"]])
        for box in boxes
    ]
    _small(group, "boxes", np.array(rows, BOX))
    _attributes(group["boxes"], {"prompts": json.dumps(prompts)})


def _attributes(item: h5py.Group | h5py.Dataset, attrs: Mapping[str, Any]) -> None:
    """Scalars only: integers, floats, and strings of fixed length; None is left out."""
    for name, value in attrs.items():
        if isinstance(value, str):
            data = value.encode("utf-8", "surrogatepass")
            kind = h5py.string_dtype("utf-8", max(1, len(data)))
            item.attrs.create(name, np.array(data, kind), dtype=kind)
        elif isinstance(value, (bool, int, np.integer)):
            item.attrs.create(name, int(value), dtype="<i8")
        elif value is not None:
            item.attrs.create(name, float(value), dtype="<f8")
