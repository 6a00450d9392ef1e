"""Whether a checkpoint whose bytes are as they were signed holds what one of ours does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from sbtools.errors import DamagedError

_FAULTS = (TypeError, ValueError, LookupError, AttributeError, RuntimeError, AssertionError,
           OverflowError, RecursionError)  # fmt: skip


def require_sound(state: Mapping[str, Any], path: str) -> None:
    """DamagedError that names the part of a checkpoint that is of another type than ours."""
    for name, right in _PARTS.items():
        if name in _LATER and name not in state:
            continue
        if name not in state or not right(state[name]):
            what = f"is {type(state[name]).__name__}" if name in state else "is missing"
            raise DamagedError(f"{path} is no checkpoint of sbtools train: its '{name}' {what}, "
                               "or holds what that cannot hold")  # fmt: skip


@contextmanager
def restoring(path: str) -> Iterator[None]:
    """What goes wrong where a checkpoint is put back into modules is its damage, in one line."""
    try:
        yield
    except _FAULTS as fault:
        reason = " ".join(str(fault).split())[:200] or type(fault).__name__
        raise DamagedError(f"{path} cannot be put back into a model: {reason}") from fault


def require_fitting(optimizer: torch.optim.Optimizer, before: list[dict[str, Any]]) -> None:
    """ValueError unless moments have their weights' shapes, and settings the types of `before`."""
    for weight, held in optimizer.state.items():
        for value in held.values():
            if not isinstance(value, Tensor) or (value.ndim and value.shape != weight.shape):
                raise ValueError("the optimizer's state is of other weights")
    for old, group in zip(before, optimizer.param_groups, strict=True):
        group.setdefault("name", old.get("name", ""))  # runs of before had none
        for name, value in old.items():
            if name != "params" and not _alike(value, group.get(name)):
                raise ValueError(f"the optimizer's '{name}' is of another type")


def _alike(old: Any, new: Any) -> bool:
    if isinstance(old, (list, tuple)):
        return isinstance(new, (list, tuple)) and len(old) == len(new) and all(
            map(_alike, old, new))  # fmt: skip
    if isinstance(old, (int, float)) and not isinstance(old, bool):
        return _number(new)
    return old is None or new is None or type(old) is type(new)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value


def _count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _named(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(key, str) for key in value)


def _tensors(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(key, str) and isinstance(held, Tensor) for key, held in value.items()
    )


def _progress(value: Any) -> bool:
    return (
        _named(value)
        and all(_count(value.get(name)) for name in ("epoch", "place", "step"))
        and _best(value.get("best"))
        and isinstance(value.get("lines"), list)
        and all(_named(line) and _count(line.get("epoch")) for line in value["lines"])
        and _tally(value.get("tally"))
    )


def _tally(value: Any) -> bool:
    return (
        _named(value)
        and all(_number(value.get(name, 0)) for name in ("clips", "failed", "seconds", "waited"))
        and all(_numbers(value.get(name, {})) for name in ("losses", "drawn"))
    )


def _numbers(value: Any) -> bool:
    return _named(value) and all(map(_number, value.values()))


def _spec(value: Any) -> bool:
    return _named(value) and isinstance(value.get("name"), str)


def _best(value: Any) -> bool:
    return value is None or (
        _named(value) and _count(value.get("epoch")) and _number(value.get("val_top1"))
    )


def _average(value: Any) -> bool:
    return value is None or (
        _named(value)
        and _tensors(value.get("model"))
        and _tensors(value.get("method"))
        and _count(value.get("updates"))
    )


_PARTS: dict[str, Callable[[Any], bool]] = {
    "settings": _named,
    "spec": _spec,
    "model": _tensors,
    "method": _tensors,
    "optimizer": _named,
    "progress": _progress,
    "ema": _average,
    "objective": _tensors,
    "facts": _named,
    "fitted": lambda value: _named(value) and all(map(_tensors, value.values())),
}
_LATER = {"ema", "objective", "facts", "fitted"}
"""Parts that older checkpoints do not have."""
