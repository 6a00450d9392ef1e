"""Training on clips into which a still is mixed: a background that tells the class, and does not
move.

Li, Liu, Zhang, Li: "Mitigating and evaluating static bias of action representations in the
background and the foreground" (2023), section 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sbtools.errors import SbtoolsError, UsageError
from sbtools.methods.base import Batch
from sbtools.methods.mixing import Augmenting, require_above
from sbtools.rng import Draws

FRAMES = ("bank", "random")
AT_ONCE = 64


class StillMix(Augmenting):
    """A still is mixed into all frames of a clip alike, and the clip keeps its label.

    x'_t = lam x_t + (1 - lam) s, with lam ~ Beta(alpha, beta) once a batch, and for each clip, with
    probability p, a still s of its own: what tells the class without moving is blurred, what moves
    stays. A clip that is left as it is stays so bit for bit.

    bank    the store of `sbtools bank`: frames that tell the class by themselves
    p       how probably a clip is mixed (the official P_aug, tuned by data set: .25, .5, .75 or 1)
    alpha   of Beta(alpha, beta), the share of the clip that stays; 200 and 200 are about a half
    beta    likewise
    frames  bank, or random: the official ablation StillMixRandom, a random frame of another clip of
            the batch, one of each; no bank then

    With frames=random pixels of clips become others', so that ranks mix within their own shares;
    with a bank no clip of the batch is shown in another. Either way targets stay: s is background.
    We leave clips in their order, where the official code puts those that are mixed first, and
    keep stills as bytes, which moves a pixel by half a level at most.

    Source: lihaoxin05/StillMix, main_network/Video-Swin-Transformer/mmaction/datasets/
    blending_utils.py, StillMixFrameBankBlending and StillMixRandomBlending.
    Raises UsageError for other values.
    """

    name = "stillmix"

    def __init__(
        self,
        bank: str = "",
        p: float = 0.5,
        alpha: float = 200.0,
        beta: float = 200.0,
        frames: str = "bank",
    ) -> None:
        super().__init__(p)
        self.bank, self.alpha, self.beta, self.frames = bank, alpha, beta, frames
        if frames not in FRAMES:
            raise UsageError(f"method stillmix: frames is {', '.join(FRAMES)}, not '{frames}'")
        require_above("stillmix", alpha=alpha, beta=beta)
        if bank and frames == "random":
            raise UsageError(
                "method stillmix: frames=random takes frames of the batch: leave bank= out"
            )
        self.resources = {"bank": "store"} if p and frames == "bank" else {}
        self.mixes = p > 0 and frames == "random"
        self._stills: dict[tuple[int, int], Tensor] = {}

    def settings(self) -> dict[str, Any]:
        names = ("bank", "p", "alpha", "beta", "frames")
        return {name: getattr(self, name) for name in names}

    def require_resource(self, setting: str, opened: Any) -> None:
        """UsageError unless the bank is a store of pixels whose clips are single frames."""
        fix = "make one with `sbtools bank`"
        if opened.kind != "pixels":
            raise UsageError(f"--set bank={self.bank}: a store of {opened.kind}, not pixels: {fix}")
        if not opened.ids:
            raise UsageError(f"--set bank={self.bank}: the store is empty: {fix}")
        count, wanted = len(opened.ids), opened.what.get("count", len(opened.ids))
        if count != wanted:
            raise UsageError(f"--set bank={self.bank}: the store has {count} of {wanted} frames: "
                             "run the same `sbtools bank` to its end")  # fmt: skip
        for id in opened.ids:
            count = len(opened.clip(id).frames)
            if count != 1:
                raise UsageError(
                    f"--set bank={self.bank}: clip {id!a} has {count} frames, not one: {fix}"
                )

    def augment(self, batch: Batch, rng: Draws) -> Batch:
        """The batch with its clips mixed; those that are left alone stay as they are."""
        if not self.p or not batch["id"]:
            return batch
        ids = batch["id"]
        alone = self.frames == "random" and len(ids) == 1
        places = [] if alone else self.drawn(ids, rng)
        self.count(len(places), len(ids))
        if not places:
            return batch
        video = batch["video"]
        lam = float(rng.batch("stillmix").beta(self.alpha, self.beta))
        stills = self._of_bank if self.frames == "bank" else self._of_batch
        found = video.clone() if len(places) < len(video) else torch.empty_like(video)
        for place, still in zip(places, stills(batch, rng, places), strict=True):
            torch.mul(video[place], lam, out=found[place]).add_((1 - lam) * still)
        return {**batch, "video": found}

    def _of_bank(self, batch: Batch, rng: Draws, places: list[int]) -> Tensor:
        """A frame of the bank for each of these clips: float [n, 3, H, W], normalised."""
        video = batch["video"]
        if "normalise" not in batch:
            raise SbtoolsError("method stillmix: the batch does not say how it is normalised")
        bank = self._resized((int(video.shape[3]), int(video.shape[4])), video.device)
        ids = [batch["id"][place] for place in places]
        chosen = [int(rng.clip(id, "stillmix frame").integers(len(bank))) for id in ids]
        mean, std = (
            torch.tensor(values, dtype=video.dtype, device=video.device)[:, None, None]
            for values in batch["normalise"]
        )
        return (bank[chosen].to(video.dtype) / 255 - mean) / std

    def _of_batch(self, batch: Batch, rng: Draws, places: list[int]) -> Tensor:
        """For each of these clips the still of another one, each of which has drawn one."""
        video, ids = batch["video"], batch["id"]
        count, frames = video.shape[:2]
        stills = [int(rng.clip(id, "stillmix frame").integers(frames)) for id in ids]
        others = []
        for place in places:
            drawn = int(rng.clip(ids[place], "stillmix other").integers(count - 1))
            others.append(drawn + (drawn >= place))
        return video[others, [stills[other] for other in others]]

    def _resized(self, size: tuple[int, int], device: torch.device) -> Tensor:
        """All frames of the bank: uint8 [N, 3, H, W] on the device, of that height and width."""
        if size not in self._stills:
            bank = self.opened["bank"]
            rgb = [bank.clip(id).rgb(0) for id in bank.ids]
            parts = [
                torch.cat([_fitted(frame, size, device) for frame in rgb[first : first + AT_ONCE]])
                for first in range(0, len(rgb), AT_ONCE)
            ]
            self._stills = {size: torch.cat(parts)}
        return self._stills[size]


def _fitted(frame: np.ndarray[Any, Any], size: tuple[int, int], device: torch.device) -> Tensor:
    """A frame uint8 [h, w, 3] as uint8 [1, 3, H, W], stretched if need be."""
    image = torch.from_numpy(frame).permute(2, 0, 1)[None].to(device)
    if tuple(image.shape[2:]) == size:
        return image.contiguous()
    found = functional.interpolate(image.float(), size, mode="bilinear", antialias=True)
    return found.round().clamp(0, 255).to(torch.uint8)
