"""Learning rates beside those of the official trainings, step by step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from sbtools.errors import UsageError
from sbtools.train import plan
from sbtools.train.optim import SCHEDULES, Schedule
from sbtools.train.plan import Asked
from sbtools.train.settings import Settings

PEAK = 2.0
CASES = [
    # epochs, steps of an epoch, epochs of warm-up
    (12, 7, 5.0),
    (11, 40, 5.0),
    (30, 13, 5.0),
    (3, 23, 0.0),
    (4, 9, 1.5),  # int(13.5) steps
    (2, 1, 1.0),
    (1, 3, 5.0),
]
CLOSE = {"rel": 1e-12, "abs": 1e-15}


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=PEAK)


def as_main_py_steps(scheduler: Any, epochs: int, steps: int) -> Iterator[float]:
    """The rate of each step, as train_one_epoch of ViFi-CLIP's main.py moves it afterwards."""
    for epoch in range(epochs):
        for idx in range(steps):
            yield scheduler.optimizer.param_groups[0]["lr"]
            scheduler.optimizer.step()
            scheduler.step_update(epoch * steps + idx)


@pytest.mark.parametrize(("epochs", "steps", "warmup"), CASES)
def test_vifi_is_timms_scheduler(epochs: int, steps: int, warmup: float) -> None:
    """As build_scheduler of utils/optimizer.py makes it; timm comes with open_clip."""
    from timm.scheduler.cosine_lr import CosineLRScheduler

    theirs = CosineLRScheduler(
        optimizer(), t_initial=epochs * steps, lr_min=PEAK / 100, warmup_lr_init=0,
        warmup_t=int(warmup * steps), cycle_limit=1, t_in_epochs=False,
    )  # fmt: skip
    ours = Schedule(steps, epochs, warmup, 0.01, "vifi")
    for step, rate in enumerate(as_main_py_steps(theirs, epochs, steps)):
        assert PEAK * ours.factor(step) == pytest.approx(rate, **CLOSE), step


def test_vifi_by_hand() -> None:
    """12 epochs of 10 steps, 5 of warm-up: two steps of 0, 49/50 at step 50, then cos 75 degrees.

    Of 120 steps, number 51 has the rate of 50: the cosine is at 50/120 of a half turn.
    """
    ours = Schedule(10, 12, 5, 0.01, "vifi")
    assert [ours.factor(step) for step in (0, 1, 2, 50)] == [0, 0, 0.02, 0.98]
    quarter = (math.sqrt(6) - math.sqrt(2)) / 4
    assert ours.factor(51) == pytest.approx(0.01 + 0.99 * (1 + quarter) / 2)
    assert ours.factor(61) == pytest.approx(0.505)


def rates_of_actionclip(epochs: int, steps: int, warmup: float) -> Iterator[float]:
    """train.py's loop with the formula of utils/lr_scheduler.py, final_factor 0."""
    rate = math.nan
    for epoch in range(epochs):
        for kkk in range(steps):
            if (kkk + 1) == 1 or (kkk + 1) % 10 == 0:
                now = epoch + kkk / steps
                if now < warmup:
                    rate = now / warmup
                else:
                    progress = min((now - warmup) / (epochs - warmup), 1.0)
                    rate = (math.cos(math.pi * progress) + 1) / 2
            yield PEAK * rate


LONG = [case for case in CASES if case[2] < case[0]]


@pytest.mark.parametrize(("epochs", "steps", "warmup"), LONG)
def test_actionclip_moves_in_every_tenth_step(epochs: int, steps: int, warmup: float) -> None:
    ours = Schedule(steps, epochs, warmup, 0.0, "actionclip")
    for step, rate in enumerate(rates_of_actionclip(epochs, steps, warmup)):
        assert PEAK * ours.factor(step) == pytest.approx(rate, **CLOSE), step


@pytest.mark.parametrize(("model", "name"), [("vificlip", "vifi"), ("actionclip", "actionclip")])
def test_the_default_is_the_models_own(model: str, name: str) -> None:
    settings, _ = plan.settle(Asked(model))
    assert settings.schedule == name
    assert Schedule.of(settings, 10) == Schedule(
        10, settings.epochs, settings.warmup, settings.lr_floor, name
    )
    asked, _ = plan.settle(Asked(model, values={"schedule": "cosine"}))
    assert asked.schedule == "cosine"


def test_a_schedule_that_is_none_is_named() -> None:
    with pytest.raises(UsageError, match=r"no schedule 'poly'; there are cosine, vifi, actionclip"):
        plan.settle(Asked("vificlip", values={"schedule": "poly"}))
    assert Settings.schedule in SCHEDULES


def test_a_run_keeps_the_schedule_that_it_was_begun_with() -> None:
    new, _ = plan.settle(Asked("vificlip"))
    old = {k: v for k, v in new.describe().items() if k != "schedule"}
    assert Settings.restore(old).schedule == "cosine"
    assert plan.with_schedule(new, Asked("vificlip"), old).schedule == "cosine"
    assert plan.with_schedule(new, Asked("vificlip"), None).schedule == "vifi"
    assert plan.with_schedule(new, Asked("vificlip"), new.describe()).schedule == "vifi"
    told = Asked("vificlip", values={"schedule": "vifi"})
    assert plan.with_schedule(new, told, old).schedule == "vifi"


def test_a_run_without_any_rate_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings("vificlip", epochs=1, warmup=1.0, schedule="vifi")
    plan.warn_of_rate(settings, 3)
    assert not caplog.text
    plan.warn_of_rate(settings, 2)
    assert "lr is 0 in all 2 steps of the run, by schedule vifi: --warmup 0" in caplog.text
