"""Training on clips with a cuboid of another clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sbtools.errors import UsageError
from sbtools.methods.base import Batch
from sbtools.methods.cuboids import Cuboid, pasted, window
from sbtools.methods.mixing import Sharing
from sbtools.rng import Draws

CUTS = ("spatial", "temporal", "spatiotemporal")


class VideoMix(Sharing):
    """A cuboid of another clip of the batch is pasted into a clip; voxels share the label.

    Yun, Oh, Heo, Han, Kim: "VideoMix: Rethinking data augmentation for video classification"
    (2020). With lam ~ Beta(alpha, alpha) once a batch, the cuboid takes 1 - lam of the clip, the
    same share of each side that is cut; its centre is drawn anywhere, and what would stand out of
    the clip is left out:

        y' = (1 - r) y + r y_other        r = voxels of the cuboid / voxels of the clip

    p      how probably a clip is mixed
    alpha  of Beta(alpha, alpha)
    cut    spatial, all frames of a box (as cutmix has it); temporal, all of some frames; or
           spatiotemporal, a box in some frames

    We found no official code, and had the abstract alone, which says no more than the above: how
    sides are drawn, alpha and p are our reading. Raises UsageError for other values.
    """

    name = "videomix"

    def __init__(self, p: float = 1.0, alpha: float = 1.0, cut: str = "spatiotemporal") -> None:
        super().__init__(p, alpha)
        if cut not in CUTS:
            raise UsageError(f"method videomix: cut is {', '.join(CUTS)}, not '{cut}'")
        self.cut = cut

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "cut": self.cut}

    def mixed(
        self, batch: Batch, rng: Draws, places: Sequence[int], others: Sequence[int]
    ) -> Batch:
        draws, video = rng.batch("videomix"), batch["video"]
        share = 1 - float(draws.beta(self.alpha, self.alpha))
        frames, _, height, width = video.shape[1:]
        sides = {"rows": height, "columns": width} if self.cut != "temporal" else {}
        sides |= {"frames": frames} if self.cut != "spatial" else {}
        part = share ** (1 / len(sides))
        cut = {name: window(draws, side, round(side * part)) for name, side in sides.items()}
        whole = {"frames": frames, "rows": height, "columns": width}
        cuboid = Cuboid(**{name: slice(0, side) for name, side in whole.items()} | cut)
        return pasted(batch, places, others, cuboid)
