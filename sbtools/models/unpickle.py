"""Reads the pickles that torch writes as tables of tensors; imports and calls nothing for them."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

INERT = {
    ("yacs.config", "CfgNode"),
    ("dotmap", "DotMap"),
    ("argparse", "Namespace"),
    ("collections", "defaultdict"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("_codecs", "encode"),
}
"""What training code keeps beside its tensors: read as empty shells, never imported."""


class Shell(dict):
    """Stands for an object of a class that is not imported; keeps what it was filled with."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, Mapping):
            self.update(state)

    def append(self, value: Any) -> None:
        """A list's; what it is given is dropped."""

    def extend(self, values: Any) -> None:
        """A list's; what it is given is dropped."""


@dataclass(frozen=True)
class Stored:
    """A tensor that is still in its file."""

    key: str
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class Unpickler(pickle.Unpickler):
    """Knows tensors and containers; another class is refused before anything is made of it."""

    def find_class(self, module: str, name: str) -> Any:
        known = _KNOWN.get((module, name))
        if known is not None:
            return known
        if module == "torch" and (name in _STORAGES or isinstance(_dtype(name), torch.dtype)):
            return _STORAGES.get(name) or _dtype(name)
        if (module, name) in INERT or module.split(".")[0] == "__torch__":
            return Shell
        raise pickle.UnpicklingError(
            f"it asks to run {module}.{name}, which is not a tensor; convert it to safetensors "
            "where it was made, if you trust it"
        )

    def persistent_load(self, pid: Any) -> tuple[str, Any]:
        kind, dtype, key, _, _ = pid
        if kind != "storage":
            raise pickle.UnpicklingError(f"it holds a '{kind}'")
        return str(key), dtype


def _dtype(name: str) -> Any:
    return vars(torch).get(name)


def _tensor(storage: tuple[str, Any], offset: int, shape: Any, stride: Any, *rest: Any) -> Stored:
    key, dtype = storage
    return Stored(key, dtype, int(offset), tuple(map(int, shape)), tuple(map(int, stride)))


def _typed(storage: tuple[str, Any], offset: Any, shape: Any, stride: Any, *rest: Any) -> Stored:
    """A tensor of an untyped storage: its kind stands behind (requires_grad, hooks)."""
    return _tensor((storage[0], rest[2]), offset, shape, stride)


def _first(value: Any, *rest: Any) -> Any:
    return value


_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_BUILD = ("build_intlist", "build_doublelist", "build_boollist", "build_tensorlist")
_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch", "Size"): tuple,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _typed,
    ("torch._utils", "_rebuild_parameter"): _first,
    ("torch.jit._pickle", "restore_type_tag"): _first,
    ("builtins", "set"): list,
    ("__builtin__", "set"): list,
    **{("torch.jit._pickle", name): list for name in _BUILD},
}
