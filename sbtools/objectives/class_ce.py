"""Cross-entropy over all classes."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from sbtools import distributed
from sbtools.errors import UsageError
from sbtools.models.outputs import Outputs
from sbtools.objectives.base import Objective
from sbtools.objectives.pairs import cross_entropy


class ClassCE(Objective):
    """Each clip against all K classes, with soft targets: ViFi-CLIP's loss, and any classifier's.

    Follows SoftTargetCrossEntropy as main.py of ViFi-CLIP uses it: the target of a clip is
    1 - smoothing + smoothing / K at its class and smoothing / K elsewhere; mixed targets are
    smoothed alike.

    smoothing   label smoothing, 0 to 1
    """

    name = "class_ce"
    texts = "all"

    def __init__(self, smoothing: float = 0.1) -> None:
        super().__init__()
        self.smoothing = float(smoothing)
        if not 0 <= self.smoothing < 1:
            raise UsageError(f"class_ce: smoothing is at least 0 and below 1, not {smoothing}")

    def settings(self) -> dict[str, Any]:
        return {"smoothing": self.smoothing}

    def forward(self, outputs: Outputs, target: Tensor) -> Tensor:
        logits = outputs.logits
        smooth = target.to(logits.dtype) * (1 - self.smoothing) + self.smoothing / logits.shape[1]
        return distributed.mean(cross_entropy(logits, smooth))
