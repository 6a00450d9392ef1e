"""How a model is shown clips: sampling, geometry, colour; saved with every checkpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from typing import Any, NamedTuple

from sbtools.errors import UsageError

NORMALISE = ("imagenet", "clip", "kinetics", "slowfast", "half")
CROPS = ("multiscale5", "multiscale13", "resized", "random", "centre")
RESIZES = ("bilinear", "bicubic", "antialias", "squash")
FLIPS = ("auto", "always", "never")
PER = ("clip", "frame")


class Field(NamedTuple):
    """A field of a recipe: what it may be (names, or in words), and what it means."""

    values: tuple[str, ...] | str
    about: str


FIELDS = {
    "normalise": Field(
        NORMALISE,
        "Whose mean and standard deviation of the colours; the numbers are in sbtools-mask(1).",
    ),
    "size": Field("a whole number", "The side of the square input, in pixels."),
    "short": Field(
        "a whole number, size or more, or 0",
        "The shorter side of a frame before it is cropped; 0 is floor(size * 256 / 224).",
    ),
    "sampling": Field(
        "vifi, actionclip, segments:TxK, dense:TxS or albar:TxS",
        "Which frames of a clip are shown: in the middle of equal parts (vifi, actionclip), K "
        "neighbours in each of T parts, or T frames that are S apart.",
    ),
    "crop": Field(CROPS, "How training crops; tests crop the centre."),
    "resize_test": Field(
        RESIZES,
        "How tests resize: bilinear as OpenCV, with the sizes of mmaction; bicubic or antialias as "
        "Pillow, with those of torchvision; squash to a square of the shorter side.",
    ),
    "flip": Field(FLIPS, "Mirrored in training; auto does not where labels tell left from right."),
    "jitter": Field("0 to 1", "How probably training changes the colours, by .4 .4 .2 .1."),
    "gray": Field("0 to 1", "How probably training drops the colours."),
    "jitter_per": Field(PER, "How often jitter is drawn anew; the official code does so by frame."),
}
"""Every field of `Recipe` by name; sbtools-extend(7) is made of it."""


@dataclass(frozen=True)
class Recipe:
    """How a model is shown clips; `FIELDS` says what each field may be, and what it means.

    Raises UsageError for any other value.
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
        for name, field in FIELDS.items():
            _require(name, field.values, getattr(self, name))
        _parsed(self.sampling)
        if self.size < 1 or (self.short and self.short < self.size):
            raise UsageError(
                f"recipe: size is 1 or more, and short 0 or at least size, not {self.size} and "
                f"{self.short}"
            )
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

    @classmethod
    def told(cls, recipe: Any) -> Recipe:
        """Of a user's `recipe`: a Recipe, a dict of its fields, or an object that has them.

        None is the default. Raises UsageError for a field that there is not.
        """
        if isinstance(recipe, Recipe):
            return recipe
        given = {} if recipe is None else _fields_of(recipe)
        for name in given:
            if name not in FIELDS:
                near = get_close_matches(str(name), FIELDS, 1)
                hint = f": did you mean {near[0]}?" if near else f"; it has {', '.join(FIELDS)}"
                raise UsageError(f"recipe has no field {name!a}{hint}")
        return cls(**given)


def _fields_of(recipe: Any) -> dict[str, Any]:
    """What a dict holds, or an object that has fields of a recipe; UsageError for another."""
    if isinstance(recipe, Mapping):
        return dict(recipe)
    if not any(hasattr(recipe, name) for name in FIELDS):
        kind = type(recipe).__name__
        raise UsageError(
            f'recipe is a dict, as in {{"normalise": "kinetics", "size": 112}}, or an object that '
            f"has such fields, not a {kind}"
        )
    there = {name: getattr(recipe, name) for name in dir(recipe) if not name.startswith("_")}
    return {name: value for name, value in there.items() if not callable(value)}


def _require(name: str, values: tuple[str, ...] | str, value: Any) -> None:
    """UsageError where a field of a recipe has a value that it cannot have."""
    named = isinstance(values, tuple)
    fits = value in values if named else isinstance(value, _KINDS.get(name, str))
    if not fits or isinstance(value, bool):
        told = ", ".join(values) if named else values
        raise UsageError(f"recipe: {name} is {told}, not {value!a}")


_KINDS: dict[str, Any] = {"size": int, "short": int, "jitter": (int, float), "gray": (int, float)}

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
