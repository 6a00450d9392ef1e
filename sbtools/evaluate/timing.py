"""Views that change when frames are shown, and hide nothing: controls of what motion tells."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor

from sbtools.evaluate.views import View
from sbtools.methods.base import Batch
from sbtools.rng import Draws

MASKS = ("person", "object", "person_box", "object_box")
PER_FRAME = ("video", *MASKS, *(f"other_{name}" for name in MASKS))
JITTER = 1 / 32
"""How far static-jitter shifts a frame at most, as a share of its shorter side."""


class Timing(View):
    """The frames of the clip in another order; their masks, where there are any, go with them."""

    def apply(self, batch: Batch, draws: Draws) -> Batch:
        video = batch["video"]
        rows = [self.order(id, video.shape[1], draws) for id in batch["id"]]
        order = torch.tensor(rows, dtype=torch.int64, device=video.device)
        clips = torch.arange(len(rows), device=video.device)[:, None]
        order = order.view(len(rows), video.shape[1])
        return {**batch, **{name: batch[name][clips, order] for name in PER_FRAME if name in batch}}

    @abstractmethod
    def order(self, id: str, frames: int, draws: Draws) -> list[int]:
        """Which of the frames stands in each place: T numbers below T."""


class Static(Timing):
    """The middle frame in every place: number T // 2, from 0.

    Source: ALBAR's static clip, which takes frame 16 of 32.
    """

    def order(self, id: str, frames: int, draws: Draws) -> list[int]:
        return [frames // 2] * frames


class StaticJitter(Static):
    """The middle frame in every place, shifted a little: motion that says nothing of the action.

    Each frame by whole pixels of its own, uniform in [-m, m] both ways, where m is `JITTER` of the
    shorter side and 1 at least. What is shifted in repeats the border.
    """

    def apply(self, batch: Batch, draws: Draws) -> Batch:
        still = super().apply(batch, draws)
        frames, height, width = (batch["video"].shape[at] for at in (1, 3, 4))
        most = max(1, round(min(height, width) * JITTER))
        drawn = [
            draws.clip(id, "static-jitter").integers(-most, most + 1, (frames, 2))
            for id in batch["id"]
        ]
        shifts = torch.from_numpy(np.array(drawn, np.int64).reshape(-1, frames, 2))
        shifts = shifts.to(batch["video"].device)
        return {**still, **{n: shifted(still[n], shifts) for n in PER_FRAME if n in still}}


class Shuffled(Timing):
    """The frames in an order drawn for the clip, which is never the true one."""

    def order(self, id: str, frames: int, draws: Draws) -> list[int]:
        draw, true = draws.clip(id, "shuffled"), list(range(frames))
        order: list[int] = draw.permutation(frames).tolist()
        while order == true and frames > 1:
            order = draw.permutation(frames).tolist()
        return order


class Reversed(Timing):
    """The last frame first."""

    def order(self, id: str, frames: int, draws: Draws) -> list[int]:
        return list(range(frames))[::-1]


def shifted(frames: Tensor, shifts: Tensor) -> Tensor:
    """Frames [B, T, 3, H, W] or masks [B, T, H, W] moved by whole pixels, down and to the right.

    shifts: int64 [B, T, 2]. Where nothing is moved to, the nearest pixel is repeated.
    """
    sides, where = frames.shape[-2:], frames.device
    rows, columns = (
        (torch.arange(side, device=where) - shifts[..., axis, None]).clamp(0, side - 1)
        for axis, side in enumerate(sides)
    )  # [B, T, H], [B, T, W]
    clips, times = (torch.arange(count, device=where) for count in frames.shape[:2])
    last = frames if frames.ndim == 4 else frames.movedim(2, -1)
    moved = last[
        clips[:, None, None, None], times[:, None, None], rows[..., None], columns[..., None, :]
    ]
    return moved if frames.ndim == 4 else moved.movedim(-1, 2).contiguous()
