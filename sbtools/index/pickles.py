"""Pickles of plain data, as released data sets have them, read without running what is in them."""

from __future__ import annotations

import io
import math
import os
import pickle
import re
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from sbtools.errors import ClipError, UsageError
from sbtools.video.source import open_regular

LIMIT_BYTES = 64 << 20
"""The largest file that is read, unless the caller says otherwise."""

FEWEST = 100_000
"""So many objects and bytes of arrays a file may hold, however small it is."""

MOST = 4_000_000
"""So many lists, tuples, dicts and marks may be made and remembered while a file is read."""

DEEPEST = 50
"""How deep lists, tuples and dicts may lie in each other."""

_PYTHONS: Any = pickle._Unpickler
_SCALARS = frozenset({str, bytes, int, float, bool, type(None)})
_TEXT = re.compile(r"U(\d{1,5})")
_NUMERIC = frozenset("b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8".split())
_OPCODES = (
    "STOP POP POP_MARK DUP FLOAT INT BININT BININT1 LONG BININT2 NONE STRING BINSTRING "
    "SHORT_BINSTRING UNICODE BINUNICODE APPEND GLOBAL APPENDS GET BINGET LONG_BINGET "
    "LIST PUT BINPUT LONG_BINPUT TUPLE EMPTY_TUPLE BINFLOAT PROTO "
    "NEWTRUE NEWFALSE LONG1 LONG4 BINBYTES SHORT_BINBYTES SHORT_BINUNICODE BINUNICODE8 BINBYTES8 "
    "STACK_GLOBAL FRAME"
).split()
_COUNTED = "MARK EMPTY_LIST EMPTY_DICT TUPLE1 TUPLE2 TUPLE3 MEMOIZE".split()
_REFUSED = (
    "PERSID BINPERSID INST OBJ NEWOBJ NEWOBJ_EX EXT1 EXT2 EXT4 EMPTY_SET ADDITEMS FROZENSET "
    "NEXT_BUFFER READONLY_BUFFER"
).split()
_NAMES = {
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("numpy.core.multiarray", "_reconstruct"): "array",
    ("numpy._core.multiarray", "_reconstruct"): "array",
    ("numpy.core.multiarray", "scalar"): "scalar",
    ("numpy._core.multiarray", "scalar"): "scalar",
    ("numpy.core.numeric", "_frombuffer"): "buffer",
    ("numpy._core.numeric", "_frombuffer"): "buffer",
    ("_codecs", "encode"): "encode",
    ("builtins", "bytes"): "bytes",
    ("__builtin__", "bytes"): "bytes",
}
"""What a name stands for; the same names that numpy 1 and 2 and the protocols 0 to 5 write."""


class _Refused(Exception):
    """Why a pickle is more than plain data."""


def read(path: str | os.PathLike[str], limit_bytes: int = LIMIT_BYTES) -> Any:
    """The value of a pickle of plain data, in the protocols 0 to 5, of Python 2 too (as latin1).

    It is built of dicts, lists, tuples, strings, bytes, numbers, True, False, None, and numpy
    arrays of numbers, which are read-only; numpy's scalars become Python's. Nothing that the file
    names is imported or called, and arrays are made here, of shape, type and bytes. UsageError,
    which names the file, for any other object, for a file over `limit_bytes`, for objects or bytes
    of arrays that are more than the bytes of the file (or FEWEST, where it is small) once what is
    shared is counted wherever it stands, for more than MOST lists, tuples and dicts, for nesting
    below DEEPEST, and for a file that is damaged.
    """
    name = os.fspath(path)
    data = _bytes_of(name, limit_bytes)
    most = max(len(data), FEWEST)
    try:
        return _Copy(most).of(_Reader(data, most).load())
    except _Refused as why:
        raise UsageError(
            f"{name} is refused: {why}; a pickle may hold only dicts, lists, tuples, strings, "
            "numbers and arrays of numbers"
        ) from None
    except Exception as error:
        raise UsageError(
            f"{name} is no whole pickle ({type(error).__name__}): copy it again"
        ) from None


def _bytes_of(path: str, limit: int) -> bytes:
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > limit:
                raise UsageError(f"{path}: {size} bytes: a pickle of over {limit} is not read")
            return file.read(size)
    except ClipError as error:
        raise UsageError(f"{path}: {error}") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def _counted(load: Callable[[Any], None]) -> Callable[[Any], None]:
    """An opcode of one byte that takes a hundred: a file of nothing else would fill the memory."""

    def counted(self: _Reader) -> None:
        self.made += 1
        if self.made > MOST:
            raise _Refused(f"it makes more than {MOST} objects")
        load(self)

    return counted


def _code(name: str) -> int:
    opcode: bytes = getattr(pickle, name)
    return opcode[0]


class _Name:
    """One of _NAMES, where the file has it."""

    def __init__(self, role: str) -> None:
        self.role = role


class _Type:
    """A numpy type: its code, as in f4, and the order of its bytes."""

    def __init__(self, code: str) -> None:
        self.code, self.order = code, "="


class _Array:
    """A numpy array; `value` is None until its shape and bytes have come."""

    def __init__(self, value: Any = None) -> None:
        self.value = value


class _Reader(_PYTHONS):
    """Python's own reader without the opcodes that call, import or build anything else."""

    def __init__(self, data: bytes, most: int) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self.most = self.room = self.letters = most
        self.made = 0

    def find_class(self, module: str, name: str) -> Any:
        role = _NAMES.get((module, name))
        if role is None:
            raise _Refused(f"it names {f'{module}.{name}'[:60]!a}")
        return _Name(role)

    def load_other(self) -> None:
        raise _Refused("it makes an object of another kind")

    def load_bytearray8(self) -> None:
        self.load_binbytes8()

    def load_reduce(self) -> None:
        arguments, name = self.stack.pop(), self.stack.pop()
        if type(name) is not _Name or name.role == "ndarray" or type(arguments) is not tuple:
            raise _Refused("it calls something")
        make: Callable[..., Any] = getattr(self, f"_{name.role}")
        try:
            self.append(make(*arguments))
        except TypeError:
            raise _Refused(f"{name.role} is called in an unknown way") from None

    def load_build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if type(state) is not tuple or type(target) not in (_Type, _Array):
            raise _Refused("it sets the state of something")
        if type(target) is _Type:
            target.order = _order(state)
        elif len(state) != 5:
            raise _Refused("the state of an array is unknown")
        else:
            target.value = self._filled(state[4], state[2], state[1], "F" if state[3] else "C")

    def load_dict(self) -> None:
        _check_keys(self.stack[::2])
        super().load_dict()

    def load_setitem(self) -> None:
        _check_keys(self.stack[-2:-1])
        super().load_setitem()

    def load_setitems(self) -> None:
        _check_keys(self.stack[::2])
        super().load_setitems()

    def _bytes(self, *nothing: object) -> bytes:
        if nothing:
            raise _Refused("it calls something")
        return b""

    def _encode(self, text: object, encoding: object = None) -> bytes:
        """What bytes are in the protocols 0 to 2, counted apart from the arrays made of them."""
        if type(text) is not str or encoding not in ("latin1", "latin-1"):
            raise _Refused("it calls something")
        self.letters -= len(text)
        if self.letters < 0:
            raise _Refused(f"its strings make more than {self.most} bytes")
        return text.encode("latin1")

    def _dtype(self, code: object, align: object = None, copy: object = None) -> _Type:
        if type(code) is not str or not (code in _NUMERIC or _TEXT.fullmatch(code)):
            raise _Refused(f"an array is of {str(code)[:20]!a}, which is no number")
        return _Type(code)

    def _array(self, kind: object, shape: object, code: object) -> _Array:
        if type(kind) is not _Name or kind.role != "ndarray":
            raise _Refused("it calls something")
        return _Array()

    def _scalar(self, kind: object, data: object) -> Any:
        """A number, or a string of four bytes a letter, as the keys of pyannot.pkl are."""
        text = _TEXT.fullmatch(kind.code) if type(kind) is _Type else None
        if text and type(kind) is _Type and type(data) is bytes and len(data) == 4 * int(text[1]):
            self._spend(len(data))
            return data.decode("utf-32-be" if kind.order == ">" else "utf-32-le").rstrip("\0")
        return self._filled(data, kind, (), "C").item()

    def _buffer(self, data: object, kind: object, shape: object, order: object) -> _Array:
        return _Array(self._filled(data, kind, shape, "F" if order == "F" else "C"))

    def _filled(self, data: Any, kind: object, shape: Any, order: Any) -> Any:
        """The array of so many bytes; nothing of the file reaches numpy unchecked."""
        import numpy as np

        if type(data) is str:
            data = self._encode(data, "latin1")
        if (
            type(kind) is not _Type
            or kind.code not in _NUMERIC
            or type(data) is not bytes
            or type(shape) is not tuple
        ):
            raise _Refused("an array has no shape or bytes, or is of no numbers")
        dtype = np.dtype(kind.order + kind.code)
        wrong = len(shape) > 32 or any(type(n) is not int or n < 0 or n > self.most for n in shape)
        if wrong or math.prod(shape) * dtype.itemsize != len(data):
            raise _Refused(f"an array of {len(data)} bytes is not of its shape and type")
        self._spend(len(data))
        return np.frombuffer(data, dtype).reshape(shape, order=order)

    def _spend(self, count: int) -> None:
        self.room -= count
        if self.room < 0:
            raise _Refused(f"its arrays have more than {self.most} bytes")

    dispatch: ClassVar[dict[int, Any]] = {
        **{_code(name): _PYTHONS.dispatch[_code(name)] for name in _OPCODES},
        **{_code(name): _counted(_PYTHONS.dispatch[_code(name)]) for name in _COUNTED},
        **dict.fromkeys(map(_code, _REFUSED), load_other),
        _code("REDUCE"): load_reduce,
        _code("BUILD"): load_build,
        _code("DICT"): load_dict,
        _code("SETITEM"): load_setitem,
        _code("SETITEMS"): load_setitems,
        _code("BYTEARRAY8"): load_bytearray8,
    }


class _Copy:
    """What was read, copied out with no part shared; at most so many objects."""

    def __init__(self, most: int) -> None:
        self.most = self.left = most

    def of(self, value: Any, depth: int = 0) -> Any:
        self.left -= 1
        if self.left < 0:
            raise _Refused(f"it holds more than {self.most} objects")
        if depth > DEEPEST:
            raise _Refused(f"it is nested deeper than {DEEPEST}")
        if type(value) in _SCALARS:
            return _checked(value)
        if type(value) in (list, tuple):
            return type(value)(self.of(each, depth + 1) for each in value)
        if type(value) is dict:
            return {self.of(key, depth): self.of(each, depth + 1) for key, each in value.items()}
        if type(value) is _Array and value.value is not None:
            return value.value
        raise _Refused("it holds a name for a value, or an array without bytes")


def _checked(value: Any) -> Any:
    if type(value) is int and value.bit_length() > 64:
        raise _Refused("a number has more than 64 bits")
    return value


def _check_keys(keys: Sequence[Any]) -> None:
    """Before they are hashed: the hash of deeply nested tuples ends the process."""
    for key in keys:
        parts = key if type(key) is tuple else (key,)
        if not all(type(part) in _SCALARS for part in parts):
            raise _Refused("a key of a dict is no string or number")


def _order(state: tuple[Any, ...]) -> str:
    """The order of bytes in a numpy type's state; a state that says more is of no number."""
    if len(state) < 5 or state[1] not in ("<", ">", "=", "|") or state[2:5] != (None, None, None):
        raise _Refused("an array is of no numbers")
    return str(state[1])
