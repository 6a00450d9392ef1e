"""What to do where the memory of the device is too small."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import torch

from sbtools.methods.base import Batch
from sbtools.train.step import piece, total

if TYPE_CHECKING:
    from sbtools.train.updates import Updates


def out_of_memory(updates: Updates, batch: Batch) -> str:
    """The line that says so, with a number of clips at once that has room."""
    clips, device = len(batch["id"]), updates.ranks.device
    parts = max(1, min(updates.settings.accumulate, clips))
    at_once = -(-clips // parts)
    fit = _fit(updates, batch, at_once) if updates.ranks.world == 1 else at_once // 2
    if not fit:
        return f"{device} is out of memory with one clip at a time: fewer --frames"
    fits = f"; {fit} at a time fit" if updates.ranks.world == 1 else ""
    return (
        f"{device} is out of memory with {at_once} clips at a time{fits}: "
        f"--accumulate {-(-clips // fit)}, --checkpoint-activations, or a smaller --batch"
    )


def _fit(updates: Updates, batch: Batch, clips: int) -> int:
    """How many clips at once have room, of those halvings of `clips`; 0 for none."""
    while clips := clips // 2:
        updates.optimizer.zero_grad(set_to_none=True)
        if updates.ranks.device.type == "cuda":
            torch.cuda.empty_cache()
        some = piece(batch, 0, clips)
        with suppress(torch.OutOfMemoryError):
            for phase in updates.step.method.phases():
                total(updates.step(some, phase), phase.name).backward()
            return clips
    return 0
