"""The work of a model's forward pass."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from sbtools.models.base import VideoModel

log = logging.getLogger("sbtools")


def clip_flops(model: VideoModel) -> int:
    """Floating-point operations of `encode` for one clip, as `flops_of` counts them; 0 where nobody
    knows: the model takes whole batches by its own `predict`, or cannot be counted.

    The model is run once, as in tests, and is left as it was; so is what torch draws by.
    """
    if callable(getattr(model, "predict", None)):
        return 0
    weight = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    size = model.recipe.size
    clip = weight.new_zeros(1, model.frames, 3, size, size)
    try:
        with _as_in_tests(model), torch.no_grad(), torch.random.fork_rng(devices=[]):
            return flops_of(lambda: model.encode(clip))
    except Exception as error:  # of a user's network, which may take no such clip
        log.debug("the work of model %s is not known: %s", model.name, error)
        return 0


def flops_of(run: Callable[[], object]) -> int:
    """Floating-point operations of `run()`: matrix products, convolutions and attention, by torch's
    own formulas, as `torch.utils.flop_counter.FlopCounterMode` counts them."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one operation, which nobody has a formula for
    try:
        with _Counter() as counter:
            run()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return counter.flops


class _Counter(TorchDispatchMode):
    """torch's own would load its compiler, which takes a second and a half."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        formula = flop_registry.get(func._overloadpacket)
        if formula is None:
            with self:
                parts = func.decompose(*args, **given)
            if parts is not NotImplemented:
                return parts
        found = func(*args, **given)
        if formula is not None:
            self.flops += formula(*args, **given, out_val=found)
        return found


@contextmanager
def _as_in_tests(model: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
