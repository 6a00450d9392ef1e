"""An exponential moving average of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from sbtools.methods.several import members_of
from sbtools.train.step import Step


class Average:
    """w <- decay w + (1 - decay) weights after every step; the first step's weights begin it."""

    def __init__(self, step: Step, decay: float) -> None:
        members = members_of(step.method)
        opened = [member.opened for member in members]
        for member in members:
            member.opened = {}  # which may be large, and is not to be copied
        self._held = AveragedModel(step, multi_avg_fn=get_ema_multi_avg_fn(decay))
        for member, own in zip(members, opened, strict=True):
            member.opened = own

    @property
    def step(self) -> Step:
        """Model and method with the averaged weights."""
        step: Step = self._held.module  # type: ignore[assignment]
        return step

    def update(self, step: Step) -> None:
        """Take in the weights of a step."""
        self._held.update_parameters(step)

    def describe(self) -> dict[str, Any]:
        """Tensors and a count, for a checkpoint."""
        step, count = self.step, int(self._held.n_averaged)
        return {
            "model": step.model.state_dict(),
            "method": step.method.state_dict(),
            "objective": step.objective.state_dict(),
            "updates": count,
        }

    def restore(self, told: Mapping[str, Any]) -> None:
        """Go on from what `describe` gave."""
        self.step.model.load_state_dict(told["model"])
        self.step.method.load_state_dict(told["method"])
        self.step.objective.load_state_dict(told.get("objective", {}))
        self._held.n_averaged.fill_(told["updates"])
