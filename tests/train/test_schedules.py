"""Learning rates beside those of the official trainings, step by step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from sbtools.errors import UsageError
from sbtools.train import plan
from sbtools.train.plan import TrainFlags
from sbtools.train.schedules import SCHEDULES, Schedule
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
    settings, _ = plan.settle(TrainFlags(model))
    assert settings.schedule == name
    assert Schedule.of(settings, 10) == Schedule(
        10, settings.epochs, settings.warmup, settings.lr_floor, name
    )
    asked, _ = plan.settle(TrainFlags(model, values={"schedule": "cosine"}))
    assert asked.schedule == "cosine"


def test_a_schedule_that_is_none_is_named() -> None:
    with pytest.raises(
        UsageError, match=r"no schedule 'poly'; there are actionclip, albar, cosine"
    ):
        plan.settle(TrainFlags("vificlip", values={"schedule": "poly"}))
    assert Settings.schedule in SCHEDULES


def test_a_run_keeps_the_schedule_that_it_was_begun_with() -> None:
    new, _ = plan.settle(TrainFlags("vificlip"))
    old = {k: v for k, v in new.describe().items() if k != "schedule"}
    assert Settings.restore(old).schedule == "cosine"
    assert plan.with_schedule(new, TrainFlags("vificlip"), old).schedule == "cosine"
    assert plan.with_schedule(new, TrainFlags("vificlip"), None).schedule == "vifi"
    assert plan.with_schedule(new, TrainFlags("vificlip"), new.describe()).schedule == "vifi"
    told = TrainFlags("vificlip", values={"schedule": "vifi"})
    assert plan.with_schedule(new, told, old).schedule == "vifi"


def test_a_run_without_any_rate_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings("vificlip", epochs=1, warmup=1.0, schedule="vifi")
    plan.warn_of_rate(settings, 3)
    assert not caplog.text
    plan.warn_of_rate(settings, 2)
    assert "lr is 0 in all 2 steps of the run, by schedule vifi: --warmup 0" in caplog.text


@pytest.mark.parametrize("at", [[1], [2, 4], [1, 2, 3]])
def test_steps_without_a_warm_up_are_torchs(at: list[int]) -> None:
    made = optimizer()
    theirs = torch.optim.lr_scheduler.MultiStepLR(made, [7 * e for e in at], gamma=0.3)
    told = {"at": ",".join(map(str, at)), "gamma": 0.3}
    ours = Schedule(7, 5, 0, 0.01, "steps", told)
    for step in range(35):
        assert PEAK * ours.factor(step) == pytest.approx(theirs.get_last_lr()[0], **CLOSE), step
        made.step()
        theirs.step()


def mmcv_rates(
    epochs: int, steps: int, warmup: float, regular: Any, ratio: float = 0.1
) -> Iterator[float]:
    """A linear warm-up of mmcv over what `regular` gives for an epoch, in its equation."""
    whole = warmup * steps
    for number in range(epochs * steps):
        rate = regular(number // steps)
        if number < whole:
            rate *= 1 - (1 - number / whole) * (1 - ratio)
        yield rate


@pytest.mark.parametrize(("epochs", "steps", "warmup"), [*CASES, (30, 4, 2.5)])
def test_mmcv_by_its_equations(epochs: int, steps: int, warmup: float) -> None:
    ours = Schedule(steps, epochs, warmup, 0.25, "mmcv")
    regular = [0.25 + 0.75 * (1 + math.cos(math.pi * e / epochs)) / 2 for e in range(epochs)]
    wanted = mmcv_rates(epochs, steps, warmup, lambda epoch: regular[epoch])
    for step, rate in enumerate(wanted):
        assert ours.factor(step) == pytest.approx(rate, **CLOSE), step
    decayed = Schedule(steps, epochs, warmup, 0.25, "steps", {"at": "2,10", "warmup_from": 0.5})
    wanted = mmcv_rates(epochs, steps, warmup, lambda e: 0.1 ** ((e >= 2) + (e >= 10)), 0.5)
    for step, rate in enumerate(wanted):
        assert decayed.factor(step) == pytest.approx(rate, **CLOSE), step


def test_mmcv_by_step_is_torchs_cosine_and_its_warm_up_may_be_steps() -> None:
    made = optimizer()
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(made, 30, eta_min=0.02)
    ours = Schedule(10, 3, 0, 0.01, "mmcv", {"by": "step"})
    for step in range(30):
        assert PEAK * ours.factor(step) == pytest.approx(theirs.get_last_lr()[0], rel=1e-9)
        made.step()
        theirs.step()
    short = Schedule(10, 3, 2, 0.0, "steps", {"at": "2", "warmup_from": 0.0, "warmup_steps": 4})
    assert [short.factor(step) for step in (0, 1, 2, 3, 4, 20)] == [0, 0.25, 0.5, 0.75, 1, 0.1]


def test_stillmix_ends_where_its_paper_says() -> None:
    """Half a cosine wave over 30 epochs: the last has (1 + cos(29/30 pi)) / 2 = .0027."""
    assert Schedule(4, 30, 2.5, 0.0, "mmcv").factor(119) == pytest.approx(0.0027, abs=5e-5)


def test_albar_is_its_list_of_an_epoch_late() -> None:
    """linspace(.01, 1, 5), then (cos x + 1) / 2 over linspace(0, pi / .99, 50)."""
    entries = [*np.linspace(0.01, 1, 5)]
    entries += [(np.cos(x) + 1) / 2 for x in np.linspace(0, np.pi / 0.99, 50)]
    ours = Schedule(3, 50, 5, 0.0, "albar")
    for step in range(150):
        wanted = entries[step // 3 - 1] if step >= 3 else 1.0
        assert ours.factor(step) == pytest.approx(wanted, **CLOSE), step
    assert ours.factor(149) == pytest.approx(0.03, abs=0.005)


@pytest.mark.parametrize(
    ("schedule", "pairs", "told"),
    [
        ("steps", [], "at is epochs above 0, ascending, as in 20,40, not ''"),
        ("steps", ["at=20,x"], "not '20,x'"),
        ("steps", ["at=20,10"], "not '20,10'"),
        ("steps", ["at=2", "gamma=x"], "schedule steps: gamma is a number, not 'x'"),
        ("steps", ["at=2", "warmup_from=2"], "warmup_from is a share"),
        ("mmcv", ["by=year"], "by is epoch or step, not 'year'"),
        ("cosine", ["at=2"], "schedule cosine has no setting 'at'; it has none"),
    ],
)
def test_settings_of_a_schedule_that_cannot_be_are_named(
    schedule: str, pairs: list[str], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        plan.settle(TrainFlags("vificlip", values={"schedule": schedule}, schedule_pairs=pairs))


def test_settings_of_a_schedule_are_kept_with_their_types() -> None:
    values = {"schedule": "steps", "epochs": 30}
    asked = TrainFlags("vificlip", values=values, schedule_pairs=["at=20,25", "gamma=0.5"])
    settings, _ = plan.settle(asked)
    assert settings.schedule_settings == {"at": "20,25", "gamma": 0.5}
    again = Settings.restore(settings.describe())
    assert Schedule.of(again, 2) == Schedule(2, 30, 5.0, 0.01, "steps", settings.schedule_settings)
