"""What the optimiser changes, and how fast."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from sbtools.errors import SbtoolsError
from sbtools.models.base import Group
from sbtools.train.settings import Settings


@dataclass(frozen=True)
class Schedule:
    """The learning rate as a share of its peak: linear warm-up from 0, then a cosine to `floor`.

    As WarmupCosineAnnealingLR of
    ActionCLIP (utils/lr_scheduler.py), but moved in every step. ViFi-CLIP's cosine begins with the
    warm-up instead of after it, so that it drops where the warm-up ends; without warm-up the two
    are one.
    """

    steps_per_epoch: int
    epochs: int
    warmup_epochs: float = 0.0
    floor: float = 0.01

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return self.steps_per_epoch * self.epochs

    def factor(self, step: int) -> float:
        """For the step of that number, from 0 on."""
        epoch = step / self.steps_per_epoch
        if epoch < self.warmup_epochs:
            return epoch / self.warmup_epochs
        left = self.epochs - self.warmup_epochs
        progress = min(1.0, (epoch - self.warmup_epochs) / left) if left > 0 else 1.0
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * progress)) / 2

    def apply(self, optimizer: torch.optim.Optimizer, lr: float, step: int) -> float:
        """Set the rate of each group to lr x lr_scale x factor; lr x factor is returned."""
        now = lr * self.factor(step)
        for group in optimizer.param_groups:
            group["lr"] = now * group["lr_scale"]
        return now


def adamw(module: nn.Module, groups: Sequence[Group], settings: Settings) -> torch.optim.AdamW:
    """AdamW over the groups; what they do not set is the settings' (`lr_scale`: 1).

    All of what `module` trains must be in one group, and once: SbtoolsError names what is not.
    """
    check(module, groups)
    filled = [{"lr_scale": 1.0, **group} for group in groups if group["params"]]
    return torch.optim.AdamW(
        filled,
        lr=settings.lr,
        betas=settings.betas,
        eps=settings.eps,
        weight_decay=settings.weight_decay,
    )


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
