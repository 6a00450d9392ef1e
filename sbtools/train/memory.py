"""What to do where the memory of the device is too small."""

from __future__ import annotations

from contextlib import suppress

import torch
from torch import Tensor
from torch.optim import Optimizer

from sbtools.methods.base import Batch
from sbtools.train.group import Ranks
from sbtools.train.step import Step, piece, total


def out_of_memory(
    step: Step, batch: Batch, accumulate: int, ranks: Ranks, optimizer: Optimizer
) -> str:
    """The line that says so, with a number of clips at once that has room."""
    clips, device = len(batch["id"]), ranks.device
    parts = max(1, min(accumulate, clips))
    at_once = -(-clips // parts)
    fit = _fit(step, batch, at_once, device, optimizer) if ranks.world == 1 else at_once // 2
    if not fit:
        return f"{device} is out of memory with one clip at a time: fewer --frames"
    fits = f"; {fit} at a time fit" if ranks.world == 1 else ""
    return (
        f"{device} is out of memory with {at_once} clips at a time{fits}: "
        f"--accumulate {-(-clips // fit)}, --checkpoint-activations, or a smaller --batch"
    )


def _fit(step: Step, batch: Batch, clips: int, device: torch.device, optimizer: Optimizer) -> int:
    """How many clips at once have room, of those halvings of `clips`; 0 for none."""
    with suppress(torch.OutOfMemoryError):
        kept = yet_to_keep(optimizer)  # noqa: F841, it takes the room while clips are tried
        while clips := clips // 2:
            step.zero_grad(set_to_none=True)
            if device.type == "cuda":
                torch.cuda.empty_cache()
            some = piece(batch, 0, clips)
            with suppress(torch.OutOfMemoryError):
                for phase in step.method.phases():
                    total(step(some, phase), phase.name).backward()
                return clips
    return 0


def yet_to_keep(optimizer: Optimizer) -> list[Tensor]:
    """As much memory as the optimiser will take for its state in its first step; none after it."""
    if optimizer.state:
        return []
    return [
        torch.empty_like(weight)
        for group in optimizer.param_groups
        for weight in group["params"]
        for _ in range(_numbers_a_weight(group) if weight.requires_grad else 0)
    ]


def _numbers_a_weight(group: dict[str, object]) -> int:
    """What torch's Adam and SGD keep of a weight; of an optimiser of others as much as Adam."""
    if "momentum" in group:
        return int(group["momentum"] != 0)
    return 3 if group.get("amsgrad") else 2
