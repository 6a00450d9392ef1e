"""The work of a model's forward pass."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

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
    """Floating-point operations of `run()`: matrix products, convolutions and attention."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one operation, which nobody has a formula for
    try:
        with FlopCounterMode(display=False) as counter:
            run()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return counter.get_total_flops()


@contextmanager
def _as_in_tests(model: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
