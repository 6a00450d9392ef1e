"""What hidden pixels are filled with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sbtools import rng
from sbtools.errors import UsageError
from sbtools.mask.equations import Regions, paint
from sbtools.mask.inpaint import inpaint


class Normalise(NamedTuple):
    """Mean and standard deviation of the channels R, G, B, for values from 0 to 1."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


NORMALISE = {
    "imagenet": Normalise((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "clip": Normalise((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "kinetics": Normalise((0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)),
    "slowfast": Normalise((0.45, 0.45, 0.45), (0.225, 0.225, 0.225)),
    "half": Normalise((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}
"""ViFi-CLIP and X-CLIP use ImageNet's constants, ActionCLIP those of CLIP; torchvision's R3D and
S3D those of Kinetics, its MViT and TimeSformer those of SlowFast, ViViT a half."""

INPAINT = "inpaint"
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Colours:
    """The colours of one clip, 0 to 255; clipped: a colour lay outside and was brought back."""

    background: Colour
    object: Colour
    clipped: bool = False

    def describe(self) -> dict[str, Any]:
        """What the record's field `fill` holds."""
        made: dict[str, Any] = {"bg": list(self.background), "object": list(self.object)}
        return {**made, "clipped": True} if self.clipped else made


@dataclass(frozen=True)
class Fill:
    """How to fill: kind is normal, mean, colour or inpaint.

    given: the colours, where the kind is colour. constants: a name of NORMALISE, the space that
    normal and mean are meant in.
    """

    kind: str
    given: Colours | None = None
    constants: str = "imagenet"

    def colours(self, seed: int, id: str) -> Colours | None:
        """The colours of a clip; None for inpainting, which has none."""
        if self.kind == "normal":
            return to_bytes(normal(seed, id), NORMALISE[self.constants])
        if self.kind == "mean":
            return to_bytes(np.zeros((2, 3)), NORMALISE[self.constants])
        return self.given

    def describe(self) -> dict[str, Any]:
        """What the pixels depend on, JSON-ready."""
        if self.kind in ("normal", "mean"):
            return {"fill": self.kind, "constants": self.constants}
        return {"fill": self.kind} if self.given is None else {"fill": self.given.describe()}


def parse_fill(text: str, constants: str = "imagenet") -> Fill:
    """normal, mean, inpaint, "R,G,B", or "R,G,B:R,G,B" for background and object.

    Raises UsageError for anything else, and for unknown constants.
    """
    if constants not in NORMALISE:
        known = ", ".join(NORMALISE)
        raise UsageError(f"there are no constants '{constants}' to normalise with, only {known}")
    if text in ("normal", "mean", INPAINT):
        return Fill(text, constants=constants)
    background, colon, other = text.partition(":")
    first = _parse_colour(background, text)
    second = _parse_colour(other, text) if colon else first
    return Fill("colour", Colours(first, second), constants)


def fill_in(
    frames: NDArray[np.uint8],
    regions: Regions,
    colours: Colours | None,
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Frames with their regions painted, or inpainted where there are no colours.

    uint8 [..., H, W, 3]: a new array, or `out`, which may be `frames` themselves. Raises ClipError
    "mismatch" where the sizes differ.
    """
    if colours is not None:
        return paint(frames, regions, colours.background, colours.object, out)
    return inpaint(frames, regions, out)


def normal(seed: int, id: str, epoch: int = 0) -> NDArray[np.float64]:
    """Two colours of a clip drawn from N(0, I) in normalised space: [2, 3], background, object.

    Source: the paper, section 3.1: one colour a video, the same in all its frames.
    """
    return rng.generator(seed, id, "fill", epoch).standard_normal((2, 3))


def to_bytes(colours: NDArray[np.float64], constants: Normalise) -> Colours:
    """Colours [2, 3] of normalised space as bytes: clipped to 0..1, then rounded half to even."""
    values = colours * np.array(constants.std) + np.array(constants.mean)
    bounded = values.clip(0, 1)
    background, object = np.rint(bounded * 255).astype(int).tolist()
    return Colours(tuple(background), tuple(object), bool((bounded != values).any()))


def _parse_colour(text: str, whole: str) -> Colour:
    parts = text.split(",")
    try:
        values = [int(part) for part in parts]
    except ValueError:
        values = []
    if len(values) != 3 or not all(0 <= value <= 255 for value in values):
        raise UsageError(
            f"--fill is normal, mean, inpaint or R,G,B with numbers from 0 to 255, not '{whole}'"
        )
    return values[0], values[1], values[2]
