"""Reading HDF5 that somebody else may have made: everything is looked at before it is read.

Hard links only, no external or virtual storage, no variable-length types, the expected type and
rank, bounded sizes, one frame a chunk, gzip, shuffle and fletcher32 at most.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import numpy as np
from h5py import h5a, h5d, h5f, h5g, h5l, h5o, h5p, h5s, h5t, h5z
from numpy.typing import NDArray

from sbtools.errors import ClipError, DamagedError
from sbtools.records.parse import strict_json
from sbtools.store.checksums import ATTRIBUTE, changed, crc32, parsed
from sbtools.store.layout import (
    BYTES_LIMIT,
    DTYPES,
    FORMATS,
    FRAMES_LIMIT,
    PIXELS_LIMIT,
    ROWS_LIMIT,
    VERSION,
    image_shape,
)

Attribute = int | float | str

_FILTERS = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32}
_ATTRIBUTE_BYTES = 1 << 20
_FAULTS = (OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeError)
_RANKS = {"person": 3, "object": 3, "rgb": 4}
CLIPS_OPEN = 8
"""Of a part, whose objects are at hand without being looked for again."""

_TYPES = {name: h5t.py_create(dtype) for name, dtype in DTYPES.items()}


class OpenPart:
    """A whole part, open for reading. DamagedError for whatever is not one of ours.

    path: the file; ClipError "missing" when there is none. clips: the group of its clips, or of its
    views where it is one of rows. made: what it was made from, {"what": {...}, "run": {...}}.
    sums: the checksums of `made` and of the index, which every clip of the part has too; None where
    it was written without. opened: what is in use of it, and stays open, by key and name.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.opened: dict[tuple[str, str], Any] = {}
        _require_file(path)
        with guarded(f"{path} does not open"):
            self.id = h5f.open(os.fsencode(path), h5f.ACC_RDONLY, fapl=_access())
        try:
            with guarded(path):
                self._read_root()
        except BaseException:
            self.close()
            raise

    def _read_root(self) -> None:
        root = h5g.open(self.id, b"/")
        where = self.path
        format = attribute(root, "format", where)
        if not isinstance(format, str) or format not in FORMATS:
            raise DamagedError(f"{where} is not a part of an sbtools store")
        version = attribute(root, "version", where)
        if not isinstance(version, int) or version < 1:
            raise DamagedError(f"{where}: attribute version is {version!a}")
        if version > VERSION:
            raise DamagedError(
                f"{where} has version {version} of the store format: install a newer sbtools"
            )
        if attribute(root, "complete", where) != 1:
            raise DamagedError(f"{where} is not complete")
        self.kind = FORMATS[format]
        self.root: h5g.GroupID = root
        holder = "views" if self.kind.rows else "clips"
        self.clips: h5g.GroupID = member(root, holder, where, h5g.GroupID)
        self.sums = self._sums()
        self.made = self._made()

    def _sums(self) -> dict[str, int] | None:
        with guarded(self.path):
            there = not self.kind.rows and h5a.exists(self.root, ATTRIBUTE.encode())
        return parsed(attribute(self.root, ATTRIBUTE, self.path), self.path) if there else None

    def _made(self) -> dict[str, Any]:
        text = str(attribute(self.root, "made", self.path)).encode("utf-8", "surrogatepass")
        try:
            made = strict_json(text)
            whole = isinstance(made["what"], dict) and isinstance(made["run"], dict)
        except (ValueError, KeyError, TypeError):
            whole = False
        if not whole:
            raise DamagedError(f"{self.path}: attribute made is damaged")
        self._require("made", text)
        return dict(made)

    def _require(self, name: str, data: bytes) -> None:
        if self.sums is not None and self.sums.get(name) != crc32(data):
            raise changed(f"{self.path}: {name}")

    def index(self) -> bytes:
        """The JSON lines of /index."""
        data = member(self.root, "index", self.path, h5d.DatasetID)
        inspect(data, "record", (None,), f"{self.path}: /index")
        found = read(data, f"{self.path}: /index").tobytes()
        self._require("index", found)
        return found

    def hold(self, key: str, name: str, item: Any) -> None:
        """Keep an object open, those of the last few clips."""
        if not name and sum(not other for _, other in self.opened) >= CLIPS_OPEN:
            self.opened.clear()
        self.opened[key, name] = item

    def close(self) -> None:
        """Close the file; HDF5 lets it go with the last object, and all are held here."""
        self.opened.clear()
        self.root = self.clips = None
        if self.id:
            self.id.close()

    def __enter__(self) -> OpenPart:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _require_file(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        full = os.path.abspath(path)
        raise ClipError(
            "missing", f"{full} does not exist: --root DIR is where relative paths begin"
        ) from None
    except (OSError, ValueError) as fault:
        raise DamagedError(f"{path} does not open: {_line(fault)}") from None
    if not stat.S_ISREG(mode):
        raise DamagedError(f"{path} is not a regular file")


def _access() -> h5p.PropFAID:
    """Without locks: a part never changes once it has its name, and locks fail on some networks.

    Without HDF5's cache of chunks, a megabyte for each dataset: a frame is a chunk, and read once.
    """
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_file_locking(False, True)
    access.set_cache(0, 0, 0, 0.0)
    return access


@contextmanager
def guarded(where: str) -> Iterator[None]:
    """Turn whatever h5py raises into a DamagedError."""
    try:
        yield
    except _FAULTS as fault:
        raise DamagedError(f"{where}: {_line(fault)}") from None


def _line(fault: BaseException) -> str:
    return str(fault).splitlines()[0] if str(fault) else type(fault).__name__


def names(group: h5g.GroupID, where: str) -> list[str]:
    """The names of all links of a group."""
    with guarded(where):
        return [name.decode("ascii") for name in group]


def member(group: h5g.GroupID, name: str, where: str, kind: type) -> Any:
    """A group or dataset behind a hard link; DamagedError for anything else."""
    with guarded(f"{where}: no {name}"):
        if group.links.get_info(name.encode("ascii")).type != h5l.TYPE_HARD:
            raise DamagedError(f"{where}: {name} is a link to elsewhere, refused")
        found = h5o.open(group, name.encode("ascii"))
    if not isinstance(found, kind):
        raise DamagedError(f"{where}: {name} is not a {kind.__name__[:-2].lower()}")
    return found


def inspect(
    data: h5d.DatasetID, name: str, shape: tuple[int | None, ...], where: str, rows: int = 0
) -> tuple[int, ...]:
    """The shape of a dataset that is safe to read; None in `shape` stands for any length.

    rows: how many a chunk must have, of a dataset that holds a row a clip.
    """
    with guarded(where):
        space, plist = data.get_space(), data.get_create_plist()
        if space.get_simple_extent_type() == h5s.NULL:
            raise DamagedError(f"{where} has no shape")
        found = tuple(data.shape)
        if len(found) != len(shape):
            raise DamagedError(f"{where} has rank {len(found)}, not {len(shape)}")
        if not data.get_type().equal(_TYPES[name]):
            raise DamagedError(f"{where} is not of type {DTYPES[name]}")
        if any(size is not None and size != seen for seen, size in zip(found, shape, strict=True)):
            raise DamagedError(f"{where} has shape {found}, not {shape}")
        _inspect_storage(data, plist, found, where, rows)
    return found


def _inspect_storage(
    data: h5d.DatasetID, plist: h5p.PropDCID, shape: tuple[int, ...], where: str, rows: int
) -> None:
    if plist.get_layout() == h5d.VIRTUAL or plist.get_external_count():
        raise DamagedError(f"{where} has its data in another file, refused")
    filters = {plist.get_filter(place)[0] for place in range(plist.get_nfilters())}
    if not filters <= _FILTERS:
        raise DamagedError(f"{where} needs filter {min(filters - _FILTERS)}, refused")
    images = len(shape) > 1
    if plist.get_layout() == h5d.CHUNKED:
        wanted = (rows or 1, *shape[1:]) if images else shape
        if plist.get_chunk() != wanted:
            raise DamagedError(f"{where} has chunks of {plist.get_chunk()}, not {wanted}")
        if images and not rows and (held := data.get_num_chunks()) != shape[0]:
            raise DamagedError(f"{where} has {held} frames of {shape[0]}")
    elif images or 0 not in shape:
        raise DamagedError(f"{where} is not stored in chunks")
    if rows:
        count, largest = math.prod(shape) * data.dtype.itemsize, ROWS_LIMIT
    elif images:
        count, largest = shape[0], FRAMES_LIMIT
    else:
        count, largest = shape[0] * data.dtype.itemsize, BYTES_LIMIT
    if count > largest:
        raise DamagedError(f"{where} declares {shape} values, refused")


def inspect_image(
    data: h5d.DatasetID, name: str, count: int, height: int, width: int, where: str
) -> None:
    """Check a dataset of one image a frame."""
    inspect(data, name, (count, *image_shape(name, height, width)), where)


def require_size(height: Any, width: Any, where: str) -> tuple[int, int]:
    """Height and width of a clip, if they are sides of an image."""
    for side in (height, width):
        if not isinstance(side, int) or side < 1:
            raise DamagedError(f"{where}: height {height!a}, width {width!a}")
    if height * width > PIXELS_LIMIT:
        raise DamagedError(f"{where}: frames of {height}x{width} are refused")
    return height, width


def read(data: h5d.DatasetID, where: str) -> NDArray[Any]:
    """The whole of a dataset that `inspect` passed."""
    values = np.empty(data.shape, data.dtype)
    with guarded(where):
        if values.size:
            data.read(h5s.ALL, h5s.ALL, values)
    return values


def read_frame(data: h5d.DatasetID, place: int, where: str) -> NDArray[Any]:
    """One frame of a dataset that `inspect` passed."""
    shape = data.shape
    if not 0 <= place < shape[0]:
        raise IndexError(f"{where}: frame {place} of {shape[0]}")
    values = np.empty(shape[1:], data.dtype)
    with guarded(where):
        space = data.get_space()
        space.select_hyperslab((place, *(0,) * (len(shape) - 1)), (1, *shape[1:]))
        data.read(h5s.create_simple(values.shape), space, values)
    return values


def attribute(item: h5g.GroupID | h5d.DatasetID, name: str, where: str) -> Attribute:
    """A scalar attribute: an integer, a float, or a string of fixed length."""
    with guarded(f"{where}: attribute {name}"):
        return _value(h5a.open(item, name.encode("utf-8")), name, where)


def _value(found: h5a.AttrID, name: str, where: str) -> Attribute:
    kind = found.get_type()
    if found.shape != () or kind.get_size() > _ATTRIBUTE_BYTES:
        raise DamagedError(f"{where}: attribute {name} is not a scalar")
    if isinstance(kind, h5t.TypeStringID) and not kind.is_variable_str():
        value = np.empty((), f"S{kind.get_size()}")
        found.read(value, kind)
        return bytes(value[()]).decode("utf-8", "surrogatepass")
    if isinstance(kind, (h5t.TypeIntegerID, h5t.TypeFloatID)):
        number = np.empty((), "<i8" if isinstance(kind, h5t.TypeIntegerID) else "<f8")
        found.read(number)
        return int(number) if number.dtype.kind == "i" else float(number)
    raise DamagedError(f"{where}: attribute {name} is neither a number nor a string")


def attributes(item: h5g.GroupID | h5d.DatasetID, where: str) -> dict[str, Attribute]:
    """All attributes, at most 64."""
    found: dict[str, Attribute] = {}
    with guarded(f"{where}: attributes"):
        count = h5a.get_num_attrs(item)
        if count > 64:
            raise DamagedError(f"{where} has {count} attributes")
        for place in range(count):
            one = h5a.open(item, index=place)
            name = one.name.decode("utf-8")
            found[name] = _value(one, name, where)
    return found
