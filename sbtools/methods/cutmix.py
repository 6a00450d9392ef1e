"""Training on clips with a window into another clip."""

from __future__ import annotations

from collections.abc import Sequence

from sbtools.methods.base import Batch
from sbtools.methods.cuboids import Cuboid, pasted, window
from sbtools.methods.mixing import Sharing
from sbtools.rng import Draws


class CutMix(Sharing):
    """A box of another clip of the batch is pasted into all frames alike; the label is shared.

    Yun et al.: "CutMix: Regularization strategy to train strong classifiers with localizable
    features" (2019). With lam ~ Beta(alpha, alpha) once a batch, the sides of the box are
    sqrt(1 - lam) of the frame's, rounded down; its centre is drawn anywhere, and what would stand
    out of the frame is left out:

        y' = (1 - r) y + r y_other        r = area of the box / area of the frame

    p      how probably a clip is mixed
    alpha  of Beta(alpha, alpha); 1 draws all shares alike

    We leave clips in their order, where StillMix's code puts those that are mixed first. As there,
    a box reaches half its side to either side of the centre, halves rounded down.

    Source: lihaoxin05/StillMix, main_network/Video-Swin-Transformer/mmaction/datasets/
    blending_utils.py, CutmixBlending_fixbs. Raises UsageError for other values.
    """

    name = "cutmix"

    def __init__(self, p: float = 1.0, alpha: float = 1.0) -> None:
        super().__init__(p, alpha)

    def mixed(
        self, batch: Batch, rng: Draws, places: Sequence[int], others: Sequence[int]
    ) -> Batch:
        draws, video = rng.batch("cutmix"), batch["video"]
        lam = float(draws.beta(self.alpha, self.alpha))
        frames, _, height, width = video.shape[1:]
        even = (int(side * (1 - lam) ** 0.5) // 2 * 2 for side in (width, height))
        columns, rows = map(window, (draws, draws), (width, height), even)
        return pasted(batch, places, others, Cuboid(slice(0, frames), rows, columns))
