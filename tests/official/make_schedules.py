"""Learning rates of the official trainings, step by step."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from . import figures
from .checkouts import imported

PEAK = 2.0
CASES = [
    # epochs, steps of an epoch, epochs of warm-up
    (12, 7, 5.0),
    (6, 40, 2.0),
    (3, 23, 0.0),
    (4, 9, 1.5),  # int(13.5) steps
    (2, 1, 1.0),
    (1, 3, 5.0),
]
FLOOR = 0.01


def make(fetched: Path) -> dict[str, Any]:
    """The file's content: cases by the schedule's name, and rates of every step."""
    with imported(fetched / "ViFi-CLIP", "utils.optimizer") as (module,):
        vifi = [_vifi(module, *case) for case in CASES]
    with imported(fetched / "ActionCLIP", "utils.lr_scheduler") as (module,):
        long = [case for case in CASES if case[2] < case[0]]
        action = [_actionclip(module, *case) for case in long]
        formula = _formula(module, 6, 5, 2.0)
    told = {"vifi": vifi, "actionclip": action, "cosine": [formula]}
    return {
        name: {str(number): row for number, row in enumerate(rows)} for name, rows in told.items()
    }


def _case(epochs: int, steps: int, warmup: float, floor: float, rates: list[float]) -> Any:
    given = {"epochs": epochs, "steps": steps, "warmup": warmup, "floor": floor, "peak": PEAK}
    return {"input": given, "expected": [figures.rounded(rate) for rate in rates]}


def _optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=PEAK)


def _vifi(module: Any, epochs: int, steps: int, warmup: float) -> Any:
    """Moved as train_one_epoch of main.py moves it: after each step."""
    train = SimpleNamespace(EPOCHS=epochs, WARMUP_EPOCHS=warmup, LR=PEAK)
    made = module.build_scheduler(SimpleNamespace(TRAIN=train), _optimizer(), steps)
    rates = []
    for step in range(epochs * steps):
        rates.append(made.optimizer.param_groups[0]["lr"])
        made.optimizer.step()
        made.step_update(step)
    return _case(epochs, steps, warmup, FLOOR, rates)


def _actionclip(module: Any, epochs: int, steps: int, warmup: float) -> Any:
    """Moved as train.py moves it: before the first step of an epoch and before every tenth."""
    made = module.WarmupCosineAnnealingLR(_optimizer(), epochs, warmup_epochs=warmup)
    rates = []
    for step in range(epochs * steps):
        epoch, place = divmod(step, steps)
        if place == 0 or (place + 1) % 10 == 0:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made.step(epoch + place / steps)
        rates.append(made.optimizer.param_groups[0]["lr"])
    return _case(epochs, steps, warmup, 0.0, rates)


def _formula(module: Any, epochs: int, steps: int, warmup: float) -> Any:
    """ActionCLIP's, moved in every step."""
    made = module.WarmupCosineAnnealingLR(_optimizer(), epochs, FLOOR, warmup_epochs=warmup)
    rates = []
    for step in range(epochs * steps):
        made.last_epoch = step / steps
        rates.append(made.get_lr()[0])
    return _case(epochs, steps, warmup, FLOOR, rates)
