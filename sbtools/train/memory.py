"""What to do where the memory of the device is too small."""

from __future__ import annotations

from contextlib import suppress

import torch

from sbtools.methods.base import Batch
from sbtools.train.group import Ranks
from sbtools.train.step import Step, piece, total


def out_of_memory(step: Step, batch: Batch, accumulate: int, ranks: Ranks) -> str:
    """The line that says so, with a number of clips at once that has room."""
    clips, device = len(batch["id"]), ranks.device
    parts = max(1, min(accumulate, clips))
    at_once = -(-clips // parts)
    fit = _fit(step, batch, at_once, device) if ranks.world == 1 else at_once // 2
    if not fit:
        return f"{device} is out of memory with one clip at a time: fewer --frames"
    fits = f"; {fit} at a time fit" if ranks.world == 1 else ""
    return (
        f"{device} is out of memory with {at_once} clips at a time{fits}: "
        f"--accumulate {-(-clips // fit)}, --checkpoint-activations, or a smaller --batch"
    )


def _fit(step: Step, batch: Batch, clips: int, device: torch.device) -> int:
    """How many clips at once have room, of those halvings of `clips`; 0 for none."""
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
