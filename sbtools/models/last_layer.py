"""What enters the last linear layer of a network that nobody has described."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

PLACE = (2, 3, 4)
"""Dimensions of time and place in [B, C, T, H, W]."""


class LastLayer:
    """Finds, while a network runs, the linear layer whose output is what the network gives.

    A convolution of single pixels whose output is then averaged is one, too, as in S3D.
    """

    def __init__(self, network: object) -> None:
        modules = network.modules() if isinstance(network, nn.Module) else ()
        self._layers = [layer for layer in modules if _is_linear(layer)]
        self._found = False
        self._last: tuple[nn.Module, Tensor, Tensor] | None = None

    def run(self, call: Callable[[], Any]) -> tuple[Any, Tensor | None]:
        """What `call`, which runs the network, gives, and what entered the last layer, [B, D]; None
        where no linear layer came last."""
        hooks = [layer.register_forward_hook(self._note) for layer in self._layers]
        try:
            found = call()
            return found, self._entered(getattr(found, "logits", found))
        finally:
            self._last = None
            for hook in hooks:
                hook.remove()

    def _note(self, layer: nn.Module, given: tuple[Any, ...], made: Any) -> None:
        self._last = (layer, given[0], made) if given else None

    def _entered(self, scores: Any) -> Tensor | None:
        if self._last is None or not isinstance(scores, Tensor):
            return None
        layer, given, made = self._last
        if made is scores and given.ndim == 2:
            entered = given
        elif given.ndim == 5 and (self._found or torch.equal(made.mean(PLACE), scores)):
            entered = given.mean(PLACE)
        else:
            return None
        self._layers, self._found = [layer], True
        return entered


def _is_linear(layer: nn.Module) -> bool:
    pointwise = isinstance(layer, nn.Conv3d) and set(layer.kernel_size) == {1}
    return pointwise or isinstance(layer, nn.Linear)
