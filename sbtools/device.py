"""Where learned back ends compute, in what precision, and on how many frames at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from sbtools.errors import ClipError, UsageError

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
R = TypeVar("R")
log = logging.getLogger("sbtools")

AUTO_BATCH = {"cuda": 8, "cpu": 1}
"""Frames at once where the user leaves it to us; on CPU a batch gains nothing and costs memory."""


def resolve(device: str = "auto") -> torch.device:
    """The device of that name; auto is CUDA where there is one, else the CPU.

    Raises UsageError for a name that torch does not know, and for CUDA where there is none.
    """
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError:
        raise UsageError(f"there is no device '{device}'; use auto, cpu, cuda or cuda:N") from None
    if found.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (found.index or 0) >= count:
            raise UsageError(
                f"device {device}: torch sees {count} CUDA devices here; use --device cpu or auto"
            )
    return found


def precision(device: torch.device, dtype: str = "auto") -> torch.dtype:
    """What `autocast` computes in; auto is bfloat16 on a GPU that has it, else float32.

    Raises UsageError for a name other than auto, float32 and bfloat16.
    """
    import torch

    named = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    if dtype in named:
        return named[dtype]
    if dtype != "auto":
        raise UsageError(f"dtype is auto, float32 or bfloat16, not '{dtype}'")
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return torch.float32


def autocast(device: torch.device, dtype: str = "auto") -> AbstractContextManager[Any]:
    """Automatic mixed precision in what `precision` gives; nothing where that is float32."""
    import torch

    chosen = precision(device, dtype)
    if chosen is torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=chosen)


def batch_size(batch: int | str, device: torch.device) -> int:
    """A count of frames from `--batch-frames`, a whole number above 0 or auto; else UsageError."""
    if batch == "auto":
        return AUTO_BATCH.get(device.type, 1)
    if str(batch).isdecimal() and int(batch) > 0:
        return int(batch)
    raise UsageError(f"--batch-frames is a whole number above 0 or auto, not '{batch}'")


class Halving:
    """Work in batches of `size`, which is halved whenever the device runs out of memory.

    A size that was too large is not tried again, and the first halving is logged: `items` are what
    a batch is made of, `option` sets how many.
    """

    def __init__(self, size: int, items: str = "frames", option: str = "--batch-frames") -> None:
        self.size = self._asked = size
        self._items, self._option = items, option

    def __call__(self, items: Sequence[T], run: Callable[[Sequence[T]], R]) -> Iterator[R]:
        """`run` over consecutive batches of `items`; ClipError when one item is too large."""
        first = 0
        while first < len(items):
            batch = items[first : first + self.size]
            worked, result = _tried(run, batch)
            if worked:
                first += len(batch)
                yield result
            else:
                self._halve(len(batch))

    def _halve(self, failed: int) -> None:
        import torch

        torch.cuda.empty_cache()
        if failed == 1:
            one = self._items.removesuffix("s")
            raise ClipError("memory", f"one {one} does not fit into the memory of the GPU")
        if self.size == self._asked:
            log.warning(
                "the GPU is out of memory at %d %s a batch, trying fewer (%s sets how many)",
                failed, self._items, self._option,
            )  # fmt: skip
        self.size = failed // 2


def _tried(run: Callable[[Sequence[T]], R], batch: Sequence[T]) -> tuple[bool, Any]:
    """Whether `run` had enough memory, and its result. What it held is free on return."""
    import torch

    try:
        return True, run(batch)
    except torch.OutOfMemoryError:
        return False, None
