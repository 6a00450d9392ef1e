"""One step of training: losses of a batch, their gradients over all ranks, the new weights."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from sbtools.device import autocast
from sbtools.errors import SbtoolsError
from sbtools.methods.base import Batch, Method
from sbtools.models.base import VideoModel
from sbtools.rng import Draws, generator
from sbtools.train.group import Ranks
from sbtools.train.settings import Settings


class Step(nn.Module):
    """Model and method as one module: what DistributedDataParallel wraps, and nothing inside it."""

    def __init__(self, model: VideoModel, method: Method, precision: str = "float32") -> None:
        super().__init__()
        self.model, self.method, self.precision = model, method, precision

    def forward(self, batch: Batch, phase: str = "main") -> dict[str, Tensor]:
        """The method's losses, scalars by name."""
        with autocast(batch["video"].device, self.precision):
            return self.method.losses(self.model, batch, phase)


@dataclass
class Updates:
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

    def __call__(self, batch: Batch, draws: Draws, sizes: Sequence[int]) -> dict[str, float]:
        """One optimiser step for each phase; the losses of this rank by name, and "norm".

        sizes: how many clips each rank has. Losses of a phase other than "main" are called
        PHASE/NAME. norm is the gradient's, before clipping; of several phases, the largest.

        Raises SbtoolsError where a loss or a gradient is not finite, which changes no weight, and
        where the memory of the device is too small.
        """
        self._seed(draws)
        with torch.no_grad():
            batch = self.step.method.augment({**batch, "draws": draws}, draws)
        told: dict[str, float] | None = None
        with suppress(torch.OutOfMemoryError):
            told = self._phases(batch, sizes)
        if told is None:  # what the failed step held is free by now
            raise SbtoolsError(self._out_of_memory(batch))
        return told

    def _phases(self, batch: Batch, sizes: Sequence[int]) -> dict[str, float]:
        told: dict[str, float] = {"norm": 0.0}
        for phase in self.step.method.phases():
            norm, losses = self._phase(batch, phase, sizes)
            told.update(losses, norm=max(norm, told["norm"]))
        return told

    def _phase(
        self, batch: Batch, phase: str, sizes: Sequence[int]
    ) -> tuple[float, dict[str, float]]:
        self.optimizer.zero_grad(set_to_none=True)
        parts = split(batch, sizes, self.settings.accumulate, self.ranks.rank)
        found = []
        for place, (part, share) in enumerate(parts):
            with self._synchronised(place == len(parts) - 1):
                losses = self.wrapped(part, phase)
                _total(losses, phase).mul(share).backward()
            found.append({name: loss.detach() for name, loss in losses.items()})
        held = [p for group in self.optimizer.param_groups for p in group["params"]]
        grads = [p.grad for p in held if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(grads)
        told = [{name: float(loss) for name, loss in losses.items()} for losses in found]
        self._require_finite(batch["draws"], parts, told, float(norm))
        if self.settings.clip_grad:
            torch.nn.utils.clip_grads_with_norm_(held, self.settings.clip_grad, norm)
        self.optimizer.step()
        prefix = "" if phase == "main" else f"{phase}/"
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

    def _out_of_memory(self, batch: Batch) -> str:
        clips, device = len(batch["id"]), self.ranks.device
        parts = max(1, min(self.settings.accumulate, clips))
        at_once = -(-clips // parts)
        fit = self._fit(batch, at_once) if self.ranks.world == 1 else at_once // 2
        if not fit:
            return f"{device} is out of memory with one clip at a time: fewer --frames"
        fits = f"; {fit} at a time fit" if self.ranks.world == 1 else ""
        return (
            f"{device} is out of memory with {at_once} clips at a time{fits}: "
            f"--accumulate {-(-clips // fit)}, --checkpoint-activations, or a smaller --batch"
        )

    def _fit(self, batch: Batch, clips: int) -> int:
        """How many clips at once have room, of those halvings of `clips`; 0 for none."""
        while clips := clips // 2:
            self.optimizer.zero_grad(set_to_none=True)
            if self.ranks.device.type == "cuda":
                torch.cuda.empty_cache()
            piece = _piece(batch, 0, clips)
            with suppress(torch.OutOfMemoryError):
                for phase in self.step.method.phases():
                    _total(self.step(piece, phase), phase).backward()
                return clips
        return 0


def split(
    batch: Batch, sizes: Sequence[int], parts: int, rank: int = 0
) -> list[tuple[Batch, float]]:
    """This rank's clips in `parts` pieces, each with its weight in the mean over all clips.

    Pieces are as even as can be; no rank has an empty one. Tensors and lists of a batch have an
    entry for each clip, other values belong to the whole. The weight is the share of the pieces of
    this number, on all ranks together, in all clips.
    """
    parts = max(1, min(parts, *sizes))
    if parts == 1:
        return [(batch, 1.0)]
    edges = [[size * part // parts for part in range(parts + 1)] for size in sizes]
    found = []
    for part in range(parts):
        first, last = edges[rank][part : part + 2]
        together = sum(edge[part + 1] - edge[part] for edge in edges)
        found.append((_piece(batch, first, last), together / sum(sizes)))
    return found


def _piece(batch: Batch, first: int, last: int) -> Batch:
    return {k: v[first:last] if isinstance(v, (Tensor, list)) else v for k, v in batch.items()}


def _total(losses: Mapping[str, Tensor], phase: str) -> Tensor:
    for name, loss in losses.items():
        if loss.dim():
            raise SbtoolsError(f"loss {name} of phase {phase} is {list(loss.shape)}, not a scalar")
    return torch.stack([loss.float() for loss in losses.values()]).sum()


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
