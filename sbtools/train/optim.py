"""What the optimiser changes, and how fast."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from sbtools.errors import SbtoolsError
from sbtools.models.base import Group
from sbtools.train.settings import Settings


@dataclass(frozen=True)
class Schedule:
    """The learning rate as a share of its peak, step by step; `name` is a key of `SCHEDULES`.

    warmup_epochs may be a fraction. floor: the share at the end of the cosine.
    """

    steps_per_epoch: int
    epochs: int
    warmup_epochs: float = 0.0
    floor: float = 0.01
    name: str = "cosine"

    @classmethod
    def of(cls, settings: Settings, steps_per_epoch: int) -> Schedule:
        """Of a run with so many steps in an epoch."""
        return cls(
            steps_per_epoch,
            settings.epochs,
            settings.warmup,
            settings.lr_floor,
            settings.schedule,
        )

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return self.steps_per_epoch * self.epochs

    def factor(self, step: int) -> float:
        """For the step of that number, from 0 on."""
        return SCHEDULES[self.name](self, step)

    def apply(self, optimizer: torch.optim.Optimizer, lr: float, step: int) -> float:
        """Set the rate of each group to lr x lr_scale x factor; lr x factor is returned."""
        now = lr * self.factor(step)
        for group in optimizer.param_groups:
            group["lr"] = now * group["lr_scale"]
        return now


def _cosine(plan: Schedule, step: float) -> float:
    """Linear warm-up from 0, then a cosine from 1 to the floor over the epochs that are left."""
    epoch = step / plan.steps_per_epoch
    if epoch < plan.warmup_epochs:
        return epoch / plan.warmup_epochs
    left = plan.epochs - plan.warmup_epochs
    return _fallen(plan, (epoch - plan.warmup_epochs) / left if left > 0 else 1.0)


def _vifi(plan: Schedule, step: int) -> float:
    """ViFi-CLIP's: build_scheduler of utils/optimizer.py, stepped as main.py does.

    That is timm's CosineLRScheduler: the warm-up, of whole steps, hides the cosine's start instead
    of coming before it, so that the rate drops where the warm-up ends; and it is moved after each
    step by the number of that step, so that the first two have the same rate, 0 with a warm-up.
    Where it accumulates, main.py counts parts instead of steps; parts change no rate here.
    """
    at = max(0, step - 1)
    warmup = int(plan.warmup_epochs * plan.steps_per_epoch)
    return at / warmup if at < warmup else _fallen(plan, at / plan.steps)


def _actionclip(plan: Schedule, step: int) -> float:
    """ActionCLIP's: WarmupCosineAnnealingLR of utils/lr_scheduler.py, moved as train.py does.

    It is `_cosine`, but moves in the first and in every tenth step of an epoch only.
    """
    epoch, within = divmod(step, plan.steps_per_epoch)
    moved = max(0, (within + 1) // 10 * 10 - 1)
    return _cosine(plan, epoch * plan.steps_per_epoch + moved)


def _fallen(plan: Schedule, progress: float) -> float:
    """Where a cosine from 1 to the floor stands; `progress` 0 to 1, and 1 beyond."""
    return plan.floor + (1 - plan.floor) * (1 + math.cos(math.pi * min(1.0, progress))) / 2


SCHEDULES: dict[str, Callable[[Schedule, int], float]] = {
    "cosine": _cosine,
    "vifi": _vifi,
    "actionclip": _actionclip,
}
"""Of a schedule and the number of a step, from 0 on, the learning rate as a share of its peak."""


def adamw(module: nn.Module, groups: Sequence[Group], settings: Settings) -> torch.optim.AdamW:
    """AdamW over the groups; what they do not set is the settings' (`lr_scale`: 1).

    All of what `module` trains must be in one group, and once: SbtoolsError names what is not.
    """
    check(module, groups)
    filled = [{"name": "", "lr_scale": 1.0, **group} for group in groups if group["params"]]
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
