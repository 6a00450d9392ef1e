"""Arrays of numbers from MATLAB files of version 5 to 7, never more than a bounded size of them.

MathWorks, MAT-File Format, Level 5: a header of 128 bytes, then elements of a tag, their type and
number of bytes, and a body. A matrix is an element whose body is elements: flags, sizes, name and
values; a packed element is one more in zlib's form. scipy.io is not used, for changed bytes crash
it.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.errors import ClipError
from sbtools.video.source import open_regular

MOST_BYTES = 256 << 20
"""Of a file, and of what is in it unpacked: 320x240 pixels of 3,400 frames."""

_HEADER, _TAG = 128, 8
_ORDERS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
"""The version and the mark of the order of bytes, which end the header."""
_HDF5 = b"\x89HDF\r\n\x1a\n"
_MATRIX, _PACKED = 14, 15
_TYPES = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
_NUMBERS = range(6, 16)
"""Classes of matrices: double, single, and the whole numbers."""
_OTHERS = {
    1: "cells", 2: "structs", 3: "objects", 4: "text", 5: "a sparse matrix", 16: "functions",
    17: "objects",
}  # fmt: skip
_COMPLEX = 1 << 11
_MOST_AXES = 8


class _Damaged(Exception):
    """Bytes that do not end where they say."""


@dataclass(frozen=True)
class _Matrix:
    """The first elements of a matrix, and where its values are."""

    name: str
    flags: int
    sizes: tuple[int, ...]
    kind: int
    values: bytes


def read_numbers(path: str, name: str) -> NDArray[Any]:
    """The array of numbers called `name`, of any shape.

    Raises ClipError: missing, unreadable for what is no such file, too-large, or mismatch where it
    has no array of that name, or one of something else than numbers.
    """
    data = _read(path)
    order = _order(path, data)
    try:
        found = [_matrix(body, order) for body in _matrices(path, data, order)]
        named = [matrix for matrix in found if matrix.name == name]
        if not named:
            there = ", ".join(matrix.name for matrix in found)[:60] or "nothing"
            raise ClipError("mismatch", f"{path} holds no {name}, but {there}")
        return _array(path, named[0], order)
    except (_Damaged, zlib.error):
        raise ClipError("unreadable", f"{path} is cut short or damaged") from None


def _read(path: str) -> bytes:
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MOST_BYTES:
            raise ClipError("too-large", f"{path} is larger than {MOST_BYTES >> 20} MiB")
        return file.read(size)


def _order(path: str, data: bytes) -> str:
    """The order of bytes, as struct writes it, of a file of version 5."""
    if _HDF5 in (data[:8], data[512:520]):
        raise ClipError("unreadable", f"{path} is of version 7.3: save it in MATLAB with -v7")
    order = _ORDERS.get(data[124:_HEADER])
    if order is None:
        raise ClipError("unreadable", f"{path} is no MATLAB file of version 5 to 7")
    return order


def _matrices(path: str, data: bytes, order: str) -> Iterator[bytes]:
    """The bodies of the matrices in the file, unpacked."""
    room = MOST_BYTES
    for kind, body in _elements(data[_HEADER:], order, pad=1):
        if kind == _PACKED:
            whole = zlib.decompressobj().decompress(body, room + 1)
            room -= len(whole)
            if room < 0:
                raise ClipError("too-large", f"{path} holds more than {MOST_BYTES >> 20} MiB")
            kind, body = next(_elements(whole, order), (0, b""))
        if kind == _MATRIX:
            yield body


def _elements(data: bytes, order: str, pad: int = 8) -> Iterator[tuple[int, bytes]]:
    """Type and body of each; a body of up to 4 bytes may stand in the tag itself."""
    at = 0
    while at < len(data):
        if at + _TAG > len(data):
            raise _Damaged
        kind, size = struct.unpack_from(f"{order}II", data, at)
        start = at + _TAG
        if kind >> 16:
            kind, size, start = kind & 0xFFFF, kind >> 16, at + _TAG // 2
        if start + size > len(data) or (start < at + _TAG and size > _TAG // 2):
            raise _Damaged
        yield kind, data[start : start + size]
        at = max(at + _TAG, start + size)
        at += -at % pad


def _matrix(body: bytes, order: str) -> _Matrix:
    elements = _elements(body, order)
    (_, flags), (_, sizes), (_, name) = (next(elements, (0, b"")) for _ in range(3))
    if len(flags) < 4 or len(sizes) % 4:
        raise _Damaged
    shape = struct.unpack(f"{order}{len(sizes) // 4}i", sizes)
    (bits,) = struct.unpack_from(f"{order}I", flags)
    values = (0, b"") if _other(bits) else next(elements, (0, b""))
    return _Matrix(name.decode("latin-1"), bits, shape, *values)


def _other(flags: int) -> str:
    """What a matrix holds that holds no real numbers; empty for one of these."""
    number = flags & 0xFF
    if number not in _NUMBERS:
        return _OTHERS.get(number, "something unknown")
    return "complex numbers" if flags & _COMPLEX else ""


def _array(path: str, matrix: _Matrix, order: str) -> NDArray[Any]:
    if what := _other(matrix.flags):
        raise ClipError("mismatch", f"{path}: {matrix.name} holds {what}, not real numbers")
    if len(matrix.sizes) > _MOST_AXES:
        raise ClipError("mismatch", f"{path}: {matrix.name} has {len(matrix.sizes)} axes")
    if matrix.kind not in _TYPES or not matrix.sizes:
        raise _Damaged
    dtype = np.dtype(f"{order}{_TYPES[matrix.kind]}")
    count = math.prod(matrix.sizes)
    if min(matrix.sizes) < 0 or count * dtype.itemsize != len(matrix.values):
        raise _Damaged
    return np.frombuffer(matrix.values, dtype).reshape(matrix.sizes, order="F")
