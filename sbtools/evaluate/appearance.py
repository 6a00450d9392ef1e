"""Views of what people wear and of what is handled, without pose, place or motion.

They show one frame, the one with people, or objects, that is nearest to the middle, in every place.
"""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d, pad

from sbtools.evaluate.masked import colours, two_colours
from sbtools.evaluate.style import Restyled
from sbtools.evaluate.views import View, need
from sbtools.methods.base import Batch
from sbtools.rng import Draws

SQUARES = 16
"""How many squares of clothes stand along the shorter side of a picture."""

NO_TIE = 1e-3
"""Of a pixel, so that no place is halfway between two, where rounding would skip one."""


class Appearance(View):
    """One frame's pixels under a mask, moved so that the mask's own place tells nothing.

    mask: the batch's, whose pixels are shown. What is not shown has the colour of the background,
    and a clip without that mask is all of that colour.
    """

    masked = True
    needs = frozenset({"masks"})
    mask = ""

    def apply(self, batch: Batch, draws: Draws) -> Batch:
        if not batch["id"]:
            return {**batch}
        mask, video = self.shape(batch), batch["video"]
        grounds = colours(batch, draws, self.setup)[:, 0, 0]  # [B, 3]
        shown = torch.stack([
            self._one(id, video[row], mask[row], grounds[row], draws)
            for row, id in enumerate(batch["id"])
        ])  # fmt: skip
        return {**batch, "video": shown[:, None].expand_as(video).contiguous()}

    def shape(self, batch: Batch) -> Tensor:
        return need(batch, self.mask, self.name)

    def _one(self, id: str, video: Tensor, mask: Tensor, ground: Tensor, draws: Draws) -> Tensor:
        frame = nearest_to_middle(mask)
        if frame is None:
            return ground[:, None, None].expand_as(video[0])
        return self.moved(id, video[frame], mask[frame], ground, draws)

    @abstractmethod
    def moved(self, id: str, frame: Tensor, mask: Tensor, ground: Tensor, draws: Draws) -> Tensor:
        """The picture [3, H, W] of a frame [3, H, W], its mask bool [H, W] and a colour [3]."""


class Objects(Appearance):
    """The objects alone, in the middle of the picture, as large as it allows, turned by an angle
    that is drawn for the clip: how they are held would tell the pose."""

    mask = "object"

    def moved(self, id: str, frame: Tensor, mask: Tensor, ground: Tensor, draws: Draws) -> Tensor:
        cut, kept = turned(*trimmed(frame, mask), self._angle(id, draws))
        shown = torch.where(kept, cut, ground[:, None, None])
        return enlarged(trimmed(shown, kept)[0], frame, ground)

    @staticmethod
    def _angle(id: str, draws: Draws) -> float:
        return float(draws.clip(id, "objects").uniform(0, 2 * math.pi))


class ObjectsHole(Objects):
    """The regions that people take from the picture of the view objects, in one flat colour.

    What the view objects may come to whatever the objects are: how people are before them. The box
    of the objects is turned and enlarged as there; what lies in it of people has the colour of
    objects, all else that of the background.
    """

    def apply(self, batch: Batch, draws: Draws) -> Batch:
        if not batch["id"]:
            return {**batch}
        people = need(batch, "person", self.name) & ~self.shape(batch)
        ground, hole = two_colours(batch, draws, self.setup)[..., None, None].unbind(2)
        flat = torch.where(people[:, :, None], hole, ground).to(batch["video"])
        return super().apply({**batch, "video": flat}, draws)

    def moved(self, id: str, frame: Tensor, mask: Tensor, ground: Tensor, draws: Draws) -> Tensor:
        part, there = trimmed(frame, mask)
        height, width = there.shape
        # `turned` repeats what stands at the border: a border of ground keeps people from it.
        bordered = ground[:, None, None].expand(-1, height + 2, width + 2).clone()
        bordered[:, 1:-1, 1:-1] = part
        cut, kept = turned(bordered, pad(there, (1, 1, 1, 1)), self._angle(id, draws))
        return enlarged(trimmed(cut, kept)[0], frame, ground)


class Clothes(Appearance):
    """What people look like, without their outline: squares of their pixels fill the picture.

    A square is cut from a drawn place that is all of people; pixels where they are too thin. So
    colours and textures of clothes are left, and neither silhouette nor place nor pose.
    """

    mask = "person"

    def moved(self, id: str, frame: Tensor, mask: Tensor, ground: Tensor, draws: Draws) -> Tensor:
        height, width = mask.shape
        side, corners = self._squares(mask)
        down, along = -(-height // side), -(-width // side)
        drawn = draws.clip(id, "clothes").integers(len(corners), size=down * along)
        taken = corners[torch.from_numpy(drawn).to(corners.device)]
        every = frame.unfold(1, side, 1).unfold(2, side, 1)  # [3, H', W', side, side]
        squares = every[:, taken[:, 0], taken[:, 1]].view(3, down, along, side, side)
        whole = squares.transpose(2, 3).reshape(3, down * side, along * side)
        return whole[:, :height, :width]

    @staticmethod
    def _squares(mask: Tensor) -> tuple[int, Tensor]:
        """The side of squares, and the upper left corners [N, 2] of those that people fill."""
        side = max(1, min(mask.shape) // SQUARES)
        outside = (~mask)[None, None].float()
        corners = torch.nonzero(max_pool2d(outside, side, 1)[0, 0] == 0)
        return (side, corners) if len(corners) else (1, torch.nonzero(mask))


class ClothesRestyled(Clothes):
    """The view clothes in colours that are drawn for the clip, as in the view restyled.

    What the view clothes may come to whatever people wear: how much of their shirts, trousers and
    skin is to be seen goes with the pose.
    """

    def apply(self, batch: Batch, draws: Draws) -> Batch:
        return super().apply(Restyled("restyled", self.setup).apply(batch, draws), draws)


def enlarged(cut: Tensor, frame: Tensor, ground: Tensor) -> Tensor:
    """A part [3, h, w] in the middle of a picture like `frame` of a colour [3], as large as it
    allows."""
    height, width = frame.shape[1:]
    factor = min(height / cut.shape[1], width / cut.shape[2])
    size = [max(1, round(side * factor)) for side in cut.shape[1:]]
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    made = ground[:, None, None].expand_as(frame).clone()
    large = interpolate(cut[None], size=size, mode="nearest")[0]
    made[:, top : top + size[0], left : left + size[1]] = large
    return made


def trimmed(frame: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """A frame [3, H, W] and a mask, bool [H, W] with a pixel set, cut to the mask's box."""
    there = (torch.nonzero(mask.any(axis))[:, 0] for axis in (1, 0))
    down, along = (slice(int(lines[0]), int(lines[-1]) + 1) for lines in there)
    return frame[:, down, along], mask[down, along]


def turned(frame: Tensor, mask: Tensor, angle: float) -> tuple[Tensor, Tensor]:
    """Both turned about their middle by radians, each place taking its nearest pixel; [S, S] in
    which every angle has room. As they are where a mask of a few pixels would be lost by it."""
    height, width = mask.shape
    side = 2 * math.ceil(math.hypot(height, width) / 2) + 1
    along = torch.arange(side, device=mask.device) - (side - 1) / 2
    y, x = torch.meshgrid(along, along, indexing="ij")
    cos, sin = math.cos(angle), math.sin(angle)
    rows = torch.floor(cos * y - sin * x + height / 2 + NO_TIE).long()
    columns = torch.floor(sin * y + cos * x + width / 2 + NO_TIE).long()
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    kept = mask[rows, columns] & inside
    return (frame[:, rows, columns], kept) if kept.any() else (frame, mask)


def nearest_to_middle(mask: Tensor) -> int | None:
    """Of frames with a mask, bool [T, H, W], the one nearest to T // 2; None where none has one."""
    there = torch.nonzero(mask.flatten(1).any(1))[:, 0]
    if not len(there):
        return None
    return int(there[(there - len(mask) // 2).abs().argmin()])
