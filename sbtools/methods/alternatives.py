"""Training on videos of the same clip that were made elsewhere."""

from __future__ import annotations

from typing import Any

from sbtools.methods.base import Method
from sbtools.methods.mixing import require_probability


class Alternatives(Method):
    """A clip is shown, now and then, as one of its `alternatives`; the label is kept.

    Sugiura, Tamaki: "S3Aug: Segmentation, sampling, and shift for action recognition" (2024) draws
    such videos from a clip's segments by a network, of which we found neither code nor weights: the
    videos are made elsewhere, have the frames of the clip, and stand in the field `alternatives` of
    its record. The clip's masks follow. The shift of features across time is not done.

    p  how probably one of them is shown, each of them as likely as the others; anew in each epoch

    Raises UsageError for another value.
    """

    name = "alternatives"

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        require_probability("alternatives", p=p)
        self.p = p
        self.needs = {"alternatives": {"p": p}} if p else {}

    def settings(self) -> dict[str, Any]:
        return {"p": self.p}
