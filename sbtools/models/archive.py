"""Tensors out of the zip files that torch.save and torch.jit.save write; nothing in them is run."""

from __future__ import annotations

import math
import os
import pickle
import zipfile
import zlib
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from sbtools.errors import DamagedError
from sbtools.models.unpickle import Stored, Unpickler

PICKLE_BYTES = 64 << 20
CODE_BYTES = 4 << 20
TABLES = 10_000


class Archive:
    """The objects of one file, its tensors as `Stored` until they are asked for.

    Raises DamagedError for a file that is cut, damaged, or asks for anything but tensors.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        with _Told(path):
            self.zip = zipfile.ZipFile(path)
        try:
            with _Told(path):
                self.root = self._root()
                self.scripted = f"{self.root}constants.pkl" in self.zip.namelist()
                with self._open("data.pkl", PICKLE_BYTES) as file:
                    self.content = Unpickler(file).load()
        except DamagedError:
            self.zip.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *details: object) -> None:
        self.zip.close()

    def tensors(self, wanted: Mapping[str, Stored]) -> dict[str, Tensor]:
        """Tensors by the names of `wanted`; those of one storage share its memory."""
        held: dict[str, Tensor] = {}
        out = {}
        with _Told(self.path):
            for name, stored in wanted.items():
                if stored.key not in held:
                    held[stored.key] = self._storage(stored.key)
                out[name] = _view(held[stored.key], stored)
        return out

    def leaves(self) -> dict[str, Stored]:
        """All tensors under dotted names, as state_dict of a scripted module has them."""
        out: dict[str, Stored] = {}
        waiting: deque[tuple[str, Any]] = deque([("", self.content)])
        seen = 0
        with _Told(self.path):
            while waiting:
                prefix, table = waiting.popleft()
                seen += 1
                if seen + len(waiting) > TABLES:
                    raise ValueError(f"it holds more than {TABLES} tables")
                for name, value in table.items():
                    if isinstance(value, Stored):
                        out[f"{prefix}{name}"] = value
                    elif isinstance(value, dict):
                        waiting.append((f"{prefix}{name}.", value))
        return out

    def code(self) -> str:
        """The program text of a scripted module, as far as `CODE_BYTES`."""
        start = f"{self.root}code/"
        names = [name for name in self.zip.namelist() if name.startswith(start)]
        with _Told(self.path):
            texts = []
            for name in sorted(names):
                if name.endswith(".py"):
                    with self.zip.open(name) as file:
                        texts.append(file.read(CODE_BYTES).decode("utf-8", "replace"))
        return "\n".join(texts)

    def _root(self) -> str:
        for name in self.zip.namelist():
            if name.endswith("/data.pkl") and name.count("/") == 1:
                return name[: -len("data.pkl")]
        raise ValueError("torch did not write it")

    def _open(self, name: str, limit: int) -> Any:
        info = self.zip.getinfo(self.root + name)
        if info.file_size > limit:
            raise ValueError(f"its {name} has {info.file_size} bytes")
        return self.zip.open(info)

    def _storage(self, key: str) -> Tensor:
        info = self.zip.getinfo(f"{self.root}data/{key}")
        if info.compress_type != zipfile.ZIP_STORED:
            raise ValueError("its tensors are compressed")
        if info.file_size > os.path.getsize(self.path):
            raise ValueError(f"its storage {key} is larger than the file")
        held = torch.empty(info.file_size, dtype=torch.uint8)
        with self.zip.open(info) as file:
            view = held.numpy().data
            while count := file.readinto(view):  # type: ignore[attr-defined]
                view = view[count:]
            if len(view):
                raise ValueError(f"its storage {key} is cut")
        return held


class _Told:
    """Whatever goes wrong in this block is a DamagedError of one line."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        expected = (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError)
        foreign = (RuntimeError, RecursionError, MemoryError, OverflowError, NotImplementedError)
        own = (pickle.UnpicklingError, zipfile.BadZipFile, zlib.error)
        if isinstance(error, (*expected, *foreign, *own)):
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise DamagedError(f"{self.path} cannot be read as weights: {reason}") from None


def _view(held: Tensor, stored: Stored) -> Tensor:
    if not isinstance(stored.dtype, torch.dtype):
        raise ValueError("a tensor has no known kind of number")
    values = held[: len(held) // stored.dtype.itemsize * stored.dtype.itemsize]
    values = values.view(stored.dtype)
    if len(stored.shape) != len(stored.stride) or min((*stored.shape, *stored.stride, 0)) < 0:
        raise ValueError("a tensor has no shape")
    last = sum((n - 1) * s for n, s in zip(stored.shape, stored.stride, strict=True))
    if math.prod(stored.shape) and not 0 <= stored.offset <= stored.offset + last < len(values):
        raise ValueError("a tensor is larger than its storage")
    if math.prod(stored.shape) > len(values):
        raise ValueError("a tensor is larger than its storage")
    return values.as_strided(stored.shape, stored.stride, stored.offset)
