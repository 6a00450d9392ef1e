"""How the learning rate goes, step by step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sbtools.errors import UsageError
from sbtools.registry import pick

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from sbtools.train.settings import Settings

SCHEDULES = {
    "cosine": "sbtools.train.schedules:cosine",
    "vifi": "sbtools.train.schedules:vifi",
    "actionclip": "sbtools.train.schedules:actionclip",
    "steps": "sbtools.train.schedules:steps",
    "mmcv": "sbtools.train.schedules:mmcv",
    "albar": "sbtools.train.schedules:albar",
}
"""Name -> function; other packages add to it through the entry-point group sbtools.schedules.

A function is called as rule(plan, step, **settings), with a `Schedule` and the number of a step,
from 0 on, and gives the learning rate as a share of its peak.
"""

GIVEN = ("plan", "step")


@dataclass(frozen=True)
class Schedule:
    """The learning rate as a share of its peak, step by step; `name` is a key of `SCHEDULES`.

    warmup_epochs may be a fraction. floor: the share at the end of a cosine. options: settings of
    the schedule's own.
    """

    steps_per_epoch: int
    epochs: int
    warmup_epochs: float = 0.0
    floor: float = 0.01
    name: str = "cosine"
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings, steps_per_epoch: int) -> Schedule:
        """Of a run with so many steps in an epoch."""
        return cls(
            steps_per_epoch,
            settings.epochs,
            settings.warmup,
            settings.lr_floor,
            settings.schedule,
            settings.schedule_settings,
        )

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return self.steps_per_epoch * self.epochs

    def factor(self, step: int) -> float:
        """For the step of that number, from 0 on."""
        share: float = rule(self.name)(self, step, **self.options)
        return share

    def apply(self, optimizer: Optimizer, lr: float, step: int) -> float:
        """Set the rate of each group to lr x lr_scale x factor; lr x factor is returned."""
        now = lr * self.factor(step)
        for group in optimizer.param_groups:
            group["lr"] = now * group["lr_scale"]
        return now


def rule(name: str) -> Any:
    """The function of that name; UsageError that lists the names when there is none."""
    return pick(SCHEDULES, "sbtools.schedules", name, "schedule")


def checked(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a schedule with the types of its defaults; UsageError for what it cannot take."""
    from sbtools.backends import checked as typed

    found = typed(rule(name), settings, f"schedule {name}", GIVEN)
    Schedule(1, 1, name=name, options=found).factor(0)
    return found


def cosine(plan: Schedule, step: float) -> float:
    """Linear warm-up from 0, then a cosine from 1 to the floor over the epochs that are left."""
    epoch = step / plan.steps_per_epoch
    if epoch < plan.warmup_epochs:
        return epoch / plan.warmup_epochs
    left = plan.epochs - plan.warmup_epochs
    return _fallen(plan, (epoch - plan.warmup_epochs) / left if left > 0 else 1.0)


def vifi(plan: Schedule, step: int) -> float:
    """ViFi-CLIP's: build_scheduler of utils/optimizer.py, stepped as main.py does.

    That is timm's CosineLRScheduler: the warm-up, of whole steps, hides the cosine's start instead
    of coming before it, so that the rate drops where the warm-up ends; and it is moved after each
    step by the number of that step, so that the first two have the same rate, 0 with a warm-up.
    Where it accumulates, main.py counts parts instead of steps; parts change no rate here.
    """
    at = max(0, step - 1)
    warmup = int(plan.warmup_epochs * plan.steps_per_epoch)
    return at / warmup if at < warmup else _fallen(plan, at / plan.steps)


def actionclip(plan: Schedule, step: int) -> float:
    """ActionCLIP's: WarmupCosineAnnealingLR of utils/lr_scheduler.py, moved as train.py does.

    It is `cosine`, but moves in the first and in every tenth step of an epoch only.
    """
    epoch, within = divmod(step, plan.steps_per_epoch)
    moved = max(0, (within + 1) // 10 * 10 - 1)
    return cosine(plan, epoch * plan.steps_per_epoch + moved)


def steps(
    plan: Schedule,
    step: int,
    at: str = "",
    gamma: float = 0.1,
    warmup_from: float = 0.1,
    warmup_steps: int = 0,
) -> float:
    """Multiplied by gamma at each of these epochs; the warm-up is that of `mmcv`. No floor.

    at            epochs that are done, as in 20,40; fractions may be
    gamma         the factor
    warmup_from   the share of the rate that a warm-up begins with
    warmup_steps  its length in steps; 0: --warmup, in epochs

    Source: StepLrUpdaterHook of mmcv 1.3.18; without a warm-up torch's MultiStepLR.
    """
    epochs = _epochs(at)
    fallen = gamma ** sum(step / plan.steps_per_epoch >= epoch for epoch in epochs)
    return fallen * _warm(plan, step, warmup_from, warmup_steps)


def mmcv(
    plan: Schedule,
    step: int,
    by: str = "epoch",
    warmup_from: float = 0.1,
    warmup_steps: int = 0,
) -> float:
    """A cosine from 1 to the floor over the whole run, which a linear warm-up multiplies.

    by            epoch or step: how often the cosine moves; the warm-up moves in every step
    warmup_from   the share of the rate that the warm-up begins with
    warmup_steps  its length in steps; 0: --warmup, in epochs

    Source: CosineAnnealingLrUpdaterHook of mmcv 1.3.18, warmup="linear".
    """
    if by not in ("epoch", "step"):
        raise UsageError(f"schedule mmcv: by is epoch or step, not '{by}'")
    done = step // plan.steps_per_epoch / plan.epochs if by == "epoch" else step / plan.steps
    return _fallen(plan, done) * _warm(plan, step, warmup_from, warmup_steps)


def albar(plan: Schedule, step: int) -> float:
    """ALBAR's list of a share for each epoch: a rise from 0.01 to 1, then half a cosine wave.

    The rise has as many epochs as the warm-up, rounded down, the wave as many as the run; its
    argument ends at pi / 0.99. train.py of ALBAR looks it up after an epoch, so that the first
    epoch has the full rate, and the last entries are never reached. No floor.
    """
    entry = step // plan.steps_per_epoch - 1
    if entry < 0:
        return 1.0
    rise = int(plan.warmup_epochs)
    if entry < rise:
        return 0.01 + 0.99 * entry / max(1, rise - 1)
    angle = math.pi / 0.99 * (entry - rise) / max(1, plan.epochs - 1)
    return (1 + math.cos(angle)) / 2


def _fallen(plan: Schedule, progress: float) -> float:
    """Where a cosine from 1 to the floor stands; `progress` 0 to 1, and 1 beyond."""
    return plan.floor + (1 - plan.floor) * (1 + math.cos(math.pi * min(1.0, progress))) / 2


def _warm(plan: Schedule, step: int, begin: float, length: int) -> float:
    """What a linear warm-up multiplies the rate by."""
    if not 0 <= begin <= 1 or length < 0:
        raise UsageError(f"schedule {plan.name}: warmup_from is a share, 0 to 1, and warmup_steps "
                         "is not below 0")  # fmt: skip
    whole = length or plan.warmup_epochs * plan.steps_per_epoch
    return 1 - (1 - step / whole) * (1 - begin) if step < whole else 1.0


def _epochs(text: str) -> list[float]:
    try:
        found = [float(part) for part in str(text).split(",")]
    except ValueError:
        found = []
    if not found or sorted(set(found)) != found or not 0 < found[0] <= found[-1] < math.inf:
        raise UsageError(
            f"schedule steps: at is epochs above 0, ascending, as in 20,40, not '{text}' "
            "(--set-schedule at=...)"
        )
    return found
