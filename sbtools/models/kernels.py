"""Which attention kernel runs: the fused ones have no second derivative."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from types import TracebackType
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

KERNELS: dict[SDPBackend, Callable[[], bool]] = {
    SDPBackend.MATH: torch.backends.cuda.math_sdp_enabled,
    SDPBackend.FLASH_ATTENTION: torch.backends.cuda.flash_sdp_enabled,
    SDPBackend.EFFICIENT_ATTENTION: torch.backends.cuda.mem_efficient_sdp_enabled,
    SDPBackend.CUDNN_ATTENTION: torch.backends.cuda.cudnn_sdp_enabled,
}


def twice_differentiable() -> AbstractContextManager[Any]:
    """What runs within can be differentiated twice."""
    found: AbstractContextManager[Any] = sdpa_kernel(SDPBackend.MATH)
    return found


def recomputed(run: Callable[..., Any], *given: Any) -> Any:
    """`run(*given)`, whose activations are computed again on the way back, by the same kernels."""
    return checkpoint(run, *given, use_reentrant=False, context_fn=same_kernels)


def same_kernels() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    """What `torch.utils.checkpoint` takes as context_fn: the way back has the way there's kernels.

    Outside of this the way back runs under whatever is enabled by then, and torch refuses what it
    recomputes (CheckpointError) or cannot differentiate it again.
    """
    return nullcontext(), _Kernels([kernel for kernel, on in KERNELS.items() if on()])


class _Kernels:
    """`sdpa_kernel`, which can be entered again: a second derivative recomputes twice."""

    def __init__(self, enabled: list[SDPBackend]) -> None:
        self._enabled = enabled
        self._entered: list[ExitStack] = []

    def __enter__(self) -> None:
        stack = ExitStack()
        stack.enter_context(sdpa_kernel(self._enabled))
        self._entered.append(stack)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._entered.pop().close()
