"""Reading HDF5 that somebody else may have made: everything is looked at before it is read.

Hard links only, no external or virtual storage, no variable-length types, the expected type and
rank, bounded sizes, one frame a chunk, gzip, shuffle and fletcher32 at most.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5p, h5s, h5t, h5z
from numpy.typing import NDArray

from sbtools.errors import DamagedError
from sbtools.store.layout import (
    BYTES_LIMIT,
    DTYPES,
    FRAMES_LIMIT,
    PIXELS_LIMIT,
    ROWS_LIMIT,
    image_shape,
)

Attribute = int | float | str

_FILTERS = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32}
_ATTRIBUTE_BYTES = 1 << 20
_FAULTS = (OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeError)
_RANKS = {"person": 3, "object": 3, "rgb": 4}
_TYPES = {name: h5t.py_create(dtype) for name, dtype in DTYPES.items()}


@contextmanager
def guarded(where: str) -> Iterator[None]:
    """Turn whatever h5py raises into a DamagedError."""
    try:
        yield
    except _FAULTS as fault:
        raise DamagedError(f"{where}: {line_of(fault)}") from None


def line_of(fault: BaseException) -> str:
    """The first line of what is wrong."""
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


def inspect_small(data: h5d.DatasetID, name: str, where: str) -> None:
    """Check a dataset of one row a frame or a box; features have one row, or one a frame."""
    frames = data.shape[0] if name == "features" and data.rank == 2 else 0
    shape = inspect(data, name, (None, None) if frames else (None,), where, rows=frames)
    if math.prod(shape) * data.dtype.itemsize > BYTES_LIMIT:
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
