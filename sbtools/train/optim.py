"""What the optimiser changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import nn

from sbtools.errors import SbtoolsError
from sbtools.models.base import Group
from sbtools.train import optimisers
from sbtools.train.groups import grouped
from sbtools.train.settings import Settings


def optimizer_of(
    module: nn.Module, groups: Sequence[Group], settings: Settings
) -> torch.optim.Optimizer:
    """The optimiser of the settings over the groups; what they do not set is the settings'
    (`lr_scale`: 1), and `Settings.groups` comes before what they set.

    All of what `module` trains must be in one group, and once: SbtoolsError names what is not.
    UsageError for a rule of `Settings.groups` that no parameter meets.
    """
    check(module, groups)
    cut = grouped(module, groups, settings.groups)
    filled = [{"name": "", "lr_scale": 1.0, **group} for group in cut if group["params"]]
    return optimisers.make(filled, settings)


def check(module: nn.Module, groups: Sequence[Group]) -> None:
    """SbtoolsError unless the groups hold each trainable parameter of `module` exactly once."""
    held = Counter(id(parameter) for group in groups for parameter in group["params"])
    for name, parameter in module.named_parameters():
        if held[id(parameter)] > 1:
            raise SbtoolsError(f"parameter {name} is in two parameter groups")
        if parameter.requires_grad and not held[id(parameter)]:
            raise SbtoolsError(f"parameter {name} is trainable, but in no parameter group")
    if not held:
        raise SbtoolsError("there is nothing to train: every parameter is frozen")


def not_finite(module: nn.Module) -> list[str]:
    """Names of the parameters and buffers that hold NaN or infinity."""
    return [
        name
        for name, value in module.state_dict().items()
        if isinstance(value, torch.Tensor)
        and value.is_floating_point()
        and not bool(torch.isfinite(value).all())
    ]
