"""Optimiser, schedule and groups of parameters: checked before a training, and told in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from torch import nn, zeros

from sbtools.backends import parse_settings
from sbtools.train import optimisers, schedules
from sbtools.train.groups import GroupRule
from sbtools.train.schedules import Schedule
from sbtools.train.settings import Settings
from sbtools.train.train_flags import TrainFlags


def with_rates(settings: Settings, asked: TrainFlags) -> Settings:
    """The settings with those of optimiser and schedule.

    Raises UsageError for an optimiser, a schedule or a rule for groups that there is not, and for
    what they cannot be set to.
    """
    given = {name: asked.values.get(name) for name in ("betas", "eps")}
    own = parse_settings(asked.optimiser_pairs), parse_settings(asked.schedule_pairs)
    found = replace(
        settings,
        optimiser_settings=optimisers.checked(settings.optimiser, own[0], given),
        schedule_settings=schedules.checked(settings.schedule, own[1]),
        groups=tuple(str(GroupRule.parse(text)) for text in settings.groups),
    )
    optimisers.make([{"params": [nn.Parameter(zeros(1))]}], found)
    return found


def tell_rates(settings: Settings, steps: int) -> Iterator[str]:
    """Optimiser and schedule in lines of words; `steps` are those of an epoch."""
    rules = "".join(f"; {rule}" for rule in settings.groups)
    yield (
        f"optimiser {settings.optimiser}{pairs(optimisers.told(settings))}, weight decay "
        f"{settings.weight_decay:g}{rules}"
    )
    planned = Schedule.of(settings, steps)
    last = settings.lr * planned.factor(planned.steps - 1)
    yield (
        f"lr {settings.lr:g}, with {settings.warmup:g} epochs of warm-up, to {last:g} by schedule "
        f"{settings.schedule}{pairs(settings.schedule_settings)}"
    )


def pairs(settings: Mapping[str, Any]) -> str:
    """Settings as they are told: " (NAME=VALUE, ...)", or nothing."""
    return f" ({', '.join(f'{k}={v}' for k, v in settings.items())})" if settings else ""
