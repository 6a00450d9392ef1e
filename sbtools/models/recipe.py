"""How a model is shown clips: sampling, geometry, colour; saved with every checkpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sbtools.errors import UsageError


@dataclass(frozen=True)
class Recipe:
    """What stands between decoded frames and the model's input.

    normalise    imagenet, clip, or another name of `sbtools.mask.fill.NORMALISE`
    size         side of the square input, in pixels
    short        shorter side before cropping; 0 is floor(size * 256 / 224)
    sampling     vifi, actionclip, segments:TxK, dense:TxS or albar:TxS: which of N frames, in
                 training and in tests; see `sbtools.loader.sampling`
    crop         multiscale5, multiscale13, resized, random or centre: training crops, of
                 `sbtools.loader.geometry.CROPS`; tests crop the centre
    resize_test  bilinear (OpenCV's; sizes and centre crop as in mmaction), bicubic or antialias
                 (Pillow's bicubic and bilinear; sizes and centre crop as in torchvision), or
                 squash (bilinear, to a square of `short_side`, whatever the shape)
    flip         auto (not where the label tells left from right), always, or never
    jitter       probability of colour jitter, of strength .4 .4 .2 .1
    gray         probability of dropping colour
    jitter_per   clip or frame: how often jitter is drawn anew (the official code: frame)
    """

    normalise: str = "imagenet"
    size: int = 224
    short: int = 0
    sampling: str = "vifi"
    crop: str = "multiscale5"
    resize_test: str = "bilinear"
    flip: str = "auto"
    jitter: float = 0.8
    gray: float = 0.2
    jitter_per: str = "clip"

    def __post_init__(self) -> None:
        for name, known in _WORDS.items():
            if getattr(self, name) not in known:
                raise UsageError(
                    f"recipe: {name} is {', '.join(known)}, not '{getattr(self, name)}'"
                )
        _parsed(self.sampling)
        if self.size < 1 or (self.short and self.short < self.size):
            raise UsageError(f"recipe: size {self.size} and short {self.short} do not fit")
        if not (0 <= self.jitter <= 1 and 0 <= self.gray <= 1):
            raise UsageError("recipe: jitter and gray are probabilities, 0 to 1")

    @property
    def short_side(self) -> int:
        """The shorter side of a frame before cropping, in pixels."""
        return self.short or int(self.size * 256 / 224)

    def asked(self, normalise: str, short: int, **others: Any) -> Recipe:
        """With these fields; an empty `normalise` and a `short` of 0 leave what there is."""
        normalise, short = normalise or self.normalise, short or self.short
        return replace(self, normalise=normalise, short=short, **others)

    def describe(self) -> dict[str, Any]:
        """As a checkpoint and a result keep it."""
        return asdict(self)

    @classmethod
    def restore(cls, told: Mapping[str, Any]) -> Recipe:
        """The recipe of `describe`; a field that is not known here is an error."""
        known = {field.name for field in fields(cls)}
        strange = sorted(set(told) - known)
        if strange:
            raise UsageError(f"recipe: '{strange[0]}' is not known: install a newer sbtools")
        return cls(**told)


_WORDS = {
    "normalise": ("imagenet", "clip", "kinetics", "slowfast", "half"),
    "crop": ("multiscale5", "multiscale13", "resized", "random", "centre"),
    "resize_test": ("bilinear", "bicubic", "antialias", "squash"),
    "flip": ("auto", "always", "never"),
    "jitter_per": ("clip", "frame"),
}

_SAMPLING = re.compile(r"(vifi|actionclip)|(segments|dense|albar):([1-9]\d{0,5})x([1-9]\d{0,5})")


@dataclass(frozen=True)
class Segments:
    """`count` segments of `length` frames each, `stride` frames apart.

    loops: what is behind the end of the clip begins anew; else the stride is halved where the clip
    is too short, and the last frame is repeated.
    """

    count: int
    length: int
    stride: int
    loops: bool = True


def segments_of(sampling: str) -> Segments | None:
    """Of segments:TxK, T segments of K neighbours, or dense:TxS and albar:TxS, one of T frames that
    are S apart.

    None for a rule that has no numbers. UsageError for a text that is no rule.
    """
    found = _parsed(sampling)
    if found[1]:
        return None
    first, second = int(found[3]), int(found[4])
    if found[2] == "segments":
        return Segments(first, second, 1)
    return Segments(1, first, second, loops=found[2] == "dense")


def frames_of(sampling: str) -> int | None:
    """How many frames a rule shows; None where that is the model's choice."""
    segments = segments_of(sampling) if sampling else None
    return segments.count * segments.length if segments else None


def _parsed(sampling: str) -> re.Match[str]:
    found = _SAMPLING.fullmatch(sampling)
    if found is None:
        raise UsageError(
            "recipe: sampling is vifi, actionclip, segments:TxK (as in segments:8x1), dense:TxS "
            f"(as in dense:32x2) or albar:TxS, not '{sampling}'"
        )
    return found
