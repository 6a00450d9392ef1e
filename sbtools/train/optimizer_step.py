"""New weights from a batch: gradients over all ranks and parts, and one optimiser step a phase."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import one_hot
from torch.nn.parallel import DistributedDataParallel

from sbtools.errors import SbtoolsError
from sbtools.mask.fill import NORMALISE
from sbtools.methods.base import Batch, Phase
from sbtools.rng import Draws, generator
from sbtools.train.group import Ranks
from sbtools.train.memory import out_of_memory
from sbtools.train.settings import Settings
from sbtools.train.step import NOTHING, Step, split, total


@dataclass
class OptimizerStep:
    """Changes the weights, a batch at a time.

    A batch may be gone through in `accumulate` parts, whose gradients add up to those of the whole
    up to losses that compare the clips of a batch with one another.
    """

    step: Step
    optimizer: torch.optim.Optimizer
    settings: Settings
    ranks: Ranks

    def __post_init__(self) -> None:
        self.wrapped = _distributed(self.step) if self.ranks.world > 1 else self.step

    def __call__(
        self, batch: Batch, draws: Draws, sizes: Sequence[int], progress: float = 0.0
    ) -> dict[str, float]:
        """One optimiser step for each phase; the losses of this rank by name, and "norm".

        sizes: how many clips each rank has. progress: the share of the run's steps that are done.
        Losses of a phase without the objective are called PHASE/NAME. norm is the gradient's,
        before clipping; of several phases, the largest.

        Raises SbtoolsError where a loss or a gradient is not finite, which changes no weight, and
        where the memory of the device is too small.
        """
        self._seed(draws)
        with torch.no_grad():
            batch = self.step.method.augment(self._described(batch, draws, progress), draws)
        told: dict[str, float] | None = None
        with suppress(torch.OutOfMemoryError):
            told = self._phases(batch, sizes)
        if told is None:  # what the failed step held is free by now
            given = self.step, batch, self.settings.accumulate, self.ranks, self.optimizer
            raise SbtoolsError(out_of_memory(*given))
        return told

    def _phases(self, batch: Batch, sizes: Sequence[int]) -> dict[str, float]:
        told: dict[str, float] = {"norm": 0.0}
        for phase in self.step.method.phases():
            with self._training(phase):
                norm, losses = self._phase(batch, phase, sizes)
            told.update(losses, norm=max(norm, told["norm"]))
        return told

    def _described(self, batch: Batch, draws: Draws, progress: float) -> Batch:
        """The batch with what objectives and methods read of it."""
        model = self.step.model
        target = one_hot(batch["label"], len(model.classes)).to(batch["video"].dtype)
        colours = NORMALISE[model.recipe.normalise]
        more = {"target": target, "normalise": colours, "progress": progress, "draws": draws}
        return {**batch, **more}

    @contextmanager
    def _training(self, phase: Phase) -> Iterator[None]:
        """The groups that the phase does not train stand still."""
        still = [
            weight
            for group in self.optimizer.param_groups
            if phase.trains is not None and group["name"] not in phase.trains
            for weight in group["params"]
            if weight.requires_grad
        ]
        for weight in still:
            weight.requires_grad_(False)
        try:
            yield
        finally:
            for weight in still:
                weight.requires_grad_(True)

    def _phase(
        self, batch: Batch, phase: Phase, sizes: Sequence[int]
    ) -> tuple[float, dict[str, float]]:
        self.optimizer.zero_grad(set_to_none=True)
        parts = split(batch, sizes, self.settings.accumulate, self.ranks.rank)
        found = []
        for place, (part, share) in enumerate(parts):
            with self._synchronised(place == len(parts) - 1):
                losses = self.wrapped(part, phase)
                total(losses, phase.name).mul(share).backward()
            found.append({name: loss.detach() for name, loss in losses.items()})
        if NOTHING in found[0]:
            self.optimizer.zero_grad(set_to_none=True)
            return 0.0, {}
        held = [p for group in self.optimizer.param_groups for p in group["params"]]
        grads = [p.grad for p in held if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(grads)
        told = [{name: float(loss) for name, loss in losses.items()} for losses in found]
        self._require_finite(batch["draws"], parts, told, float(norm))
        if self.settings.clip_grad:
            torch.nn.utils.clip_grads_with_norm_(held, self.settings.clip_grad, norm)
        self.optimizer.step()
        prefix = "" if phase.objective else f"{phase.name}/"
        shares = [share for _, share in parts]
        return float(norm), {prefix + name: _mean(told, shares, name) for name in told[0]}

    def _synchronised(self, last: bool) -> AbstractContextManager[Any]:
        """Gradients go around once, with the last part."""
        if isinstance(self.wrapped, DistributedDataParallel) and not last:
            return self.wrapped.no_sync()
        return nullcontext()

    def _seed(self, draws: Draws) -> None:
        """What torch draws (dropout) depends on the step and the rank alone."""
        purpose = f"torch {self.ranks.rank}"
        drawn = generator(draws.seed, f"step {draws.step}", purpose, draws.epoch)
        torch.manual_seed(int(drawn.integers(1 << 62)))

    def _require_finite(
        self,
        draws: Draws,
        parts: Sequence[tuple[Batch, float]],
        told: Sequence[Mapping[str, float]],
        norm: float,
    ) -> None:
        """The norm is that of all ranks' gradients, so that all of them stop or none does."""
        bad = [name for losses in told for name, loss in losses.items() if not math.isfinite(loss)]
        if math.isfinite(norm) and not bad:
            return
        ids = [
            id
            for (part, _), losses in zip(parts, told, strict=True)
            if not all(map(math.isfinite, losses.values()))
            for id in _suspects(part)
        ]
        if not math.isfinite(norm):
            ids = [id for each in self.ranks.all(ids) for id in each]
        ids = ids or [id for part, _ in parts for id in part["id"]]
        what = f"loss {bad[0]}" if bad else "the gradient"
        raise SbtoolsError(
            f"step {draws.step + 1}, epoch {draws.epoch + 1}: {what} is not finite; clips "
            f"{', '.join(f'{id!a}' for id in ids)}. Nothing was overwritten: leave these clips "
            "out, or lower --lr"
        )


def _mean(told: Sequence[Mapping[str, float]], shares: Sequence[float], name: str) -> float:
    return sum(losses[name] * share for losses, share in zip(told, shares, strict=True))


def _suspects(batch: Batch) -> list[str]:
    """The clips whose pixels are not finite; where all are, every one."""
    fine = torch.isfinite(batch["video"]).flatten(1).all(1).tolist()
    return [id for id, good in zip(batch["id"], fine, strict=True) if not good] or batch["id"]


def _distributed(step: Step) -> DistributedDataParallel:
    """Parameters may be without a gradient in a phase; buffers are constants but for batch norm."""
    warnings.filterwarnings("ignore", message="find_unused_parameters=True was specified")
    warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated")
    norms = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in step.modules())
    return DistributedDataParallel(step, find_unused_parameters=True, broadcast_buffers=norms)
