"""Activations computed twice instead of kept, where a library offers it."""

from __future__ import annotations

from typing import Any

from torch import nn

from sbtools.models.kernels import same_kernels


def recompute(network: nn.Module, on: bool) -> bool:
    """Switch it on or off in the networks of transformers within; whether there is one.

    The way back has the way there's kernels, so that it can be differentiated again.
    """
    found = [
        module for module in network.modules()
        if getattr(module, "supports_gradient_checkpointing", False)
        and hasattr(module, "config")
    ]  # fmt: skip
    for module in found[:1]:
        if on:
            _method(module, "enable")({"use_reentrant": False, "context_fn": same_kernels})
        else:
            _method(module, "disable")()
    return bool(found)


def _method(module: Any, what: str) -> Any:
    """By its name of transformers 5.23 on, or of before."""
    new = getattr(module, f"activation_checkpointing_{what}", None)
    return new or getattr(module, f"gradient_checkpointing_{what}")
