"""Training on masked clips.

"Masking background and objects to reduce static bias in zero-shot action recognition", sections 3
and 4: X = M * V + c * (1 - M) for a share of the clips, with a colour c ~ N(0, I) for each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sbtools.errors import SbtoolsError, UsageError
from sbtools.mask import controls, equations, fill
from sbtools.methods.base import Batch, Method
from sbtools.rng import Draws

PAIR = ("none", "bg")
QUADRUPLE = ("none", "obj-box", "obj-shape", "bg+obj")
ROUNDED = 0.005
"""How far from 1 the sum of shares may be that were rounded."""

REGIONS = ("mask", "random", "other", "none")
COLOUR_PER = ("epoch", "video")


class Mask(Method):
    """Each clip is masked in a mode drawn for it, anew in every epoch.

    ratio      shares of the modes, "none:bg" or "none:obj-box:obj-shape:bg+obj"; they are divided
               by their sum
    region     what is taken for the shapes: mask, the clip's own; random, blobs of the same area;
               other, the shapes of another clip; none, nothing is hidden. The last three are
               controls, and want the masks too, so that every arm sees the same clips.
    color_per  epoch or video: how often the colours of a clip are drawn; in all of its frames
               they are the same

    Raises UsageError for other values.
    """

    name = "mask"

    def __init__(
        self, ratio: str = "0.5:0.5", region: str = "mask", color_per: str = "epoch"
    ) -> None:
        super().__init__()
        self.ratio, self.region, self.color_per = ratio, region, color_per
        self.shares = parse_ratio(ratio)
        _one_of("region", region, REGIONS)
        _one_of("color_per", color_per, COLOUR_PER)
        used = (equations.MODES[mode].needs for mode, share in self.shares.items() if share)
        self.masks = tuple(dict.fromkeys(["person", *(mask for masks in used for mask in masks)]))
        boxes = ["boxes"] if "object_box" in self.masks else []
        other = ["other"] if region == "other" else []
        self.needs = {name: {} for name in ["masks", *boxes, *other]}
        self.counts: Counter[str] = Counter()

    def settings(self) -> dict[str, Any]:
        return {"ratio": self.ratio, "region": self.region, "color_per": self.color_per}

    def remarks(self) -> Sequence[str]:
        """The shares of the modes, where those of `ratio` do not add up to 1."""
        total = sum(map(float, self.ratio.split(":")))
        if abs(total - 1) < ROUNDED:
            return ()
        told = ", ".join(f"{mode} {share:.3g}" for mode, share in self.shares.items())
        return (
            f"method mask: ratio {self.ratio} adds up to {total:.4g}, so the shares are {told}",
        )

    def mode(self, rng: Draws, id: str) -> str:
        """The mode that a clip draws in this epoch."""
        if self.region == "none":
            return "none"
        drawn = rng.clip(id, "mask").choice(len(self.shares), p=list(self.shares.values()))
        return list(self.shares)[drawn]

    def colours(self, rng: Draws, id: str) -> np.ndarray:
        """Colours of background and objects, [2, 3], in normalised space."""
        return fill.normal(rng.seed, id, rng.epoch if self.color_per == "epoch" else 0)

    def augment(self, batch: Batch, rng: Draws) -> Batch:
        """The batch with its clips masked; those that drew "none" stay as they are, bit for bit.

        Raises SbtoolsError where the batch lacks a mask, or one does not fit the frames.
        """
        if not batch["id"]:
            return batch
        masks = {name: self._mask(batch, name) for name in self.masks}
        modes = [self.mode(rng, id) for id in batch["id"]]
        self.counts.update(modes)
        if all(mode == "none" for mode in modes):
            return batch
        colours = torch.as_tensor(np.stack([self.colours(rng, id) for id in batch["id"]]))
        background, object = colours.to(batch["video"])[:, None].unbind(2)  # [B, 1, 3] each
        regions = self._regions(masks, modes, [rng.clip(id, "region") for id in batch["id"]])
        return {**batch, "video": equations.apply(batch["video"], regions, background, object)}

    def _regions(
        self, masks: dict[str, Tensor], modes: list[str], draws: list[np.random.Generator]
    ) -> equations.Regions:
        """What is hidden in each clip, in its own mode: bool [B, T, H, W] each."""
        whole = equations.Regions(*(torch.zeros_like(masks["person"]) for _ in range(2)))
        for mode in dict.fromkeys(modes):
            clips = [place for place, drawn in enumerate(modes) if drawn == mode]
            shapes = {name: masks[name][clips] for name in equations.MODES[mode].needs}
            if self.region == "random":
                shapes = controls.random_shapes(shapes, [draws[place] for place in clips])
            for into, part in zip(whole, equations.regions(mode, **shapes), strict=True):
                into[clips] = part
        return whole

    def tally(self) -> dict[str, int]:
        """How many clips drew each mode since the last call."""
        told = {mode: self.counts[mode] for mode in self.shares}
        self.counts.clear()
        return told

    def _mask(self, batch: Batch, name: str) -> Tensor:
        """The mask that stands for `name`: another clip's where the region is other."""
        key = f"other_{name}" if self.region == "other" else name
        mask, video = batch.get(key), batch["video"]
        where = f"clips {', '.join(batch['id'][:3])}"
        if mask is None:
            raise SbtoolsError(f"method mask: the batch has no '{key}' ({where})")
        want = [*video.shape[:2], *video.shape[3:]]
        if list(mask.shape) != want or mask.dtype != torch.bool:
            found = f"{str(mask.dtype).removeprefix('torch.')} {list(mask.shape)}"
            raise SbtoolsError(f"method mask: '{key}' is {found}, not bool {want} ({where})")
        return mask


def parse_ratio(text: str) -> dict[str, float]:
    """Modes and their shares, which add up to 1, from "none:bg" or the quadruple.

    Raises UsageError for another number of shares, for none above 0, and for what is no share.
    """
    try:
        shares = [float(part) for part in str(text).split(":")]
    except ValueError:
        shares = []
    modes = {len(names): names for names in (PAIR, QUADRUPLE)}.get(len(shares))
    if modes is None or not all(isfinite(s) and s >= 0 for s in shares) or not sum(shares) > 0:
        raise UsageError(
            f"method mask: ratio is {':'.join(PAIR)} or {':'.join(QUADRUPLE)} in shares of 0 or "
            f"more, as in 0.5:0.5, not '{text}'"
        )
    total = sum(shares)
    return {mode: share / total for mode, share in zip(modes, shares, strict=True)}


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"method mask: {name} is {', '.join(known)}, not '{value}'")
