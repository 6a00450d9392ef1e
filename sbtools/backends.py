"""Choosing a detector, a segmenter or a scorer by name, with its settings."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sbtools.errors import UsageError
from sbtools.registry import pick

DETECTORS = {
    "grounding-dino": "sbtools.detect.grounding_dino:GroundingDinoDetector",
    "classic": "sbtools.detect.classic:ClassicDetector",
    "hog": "sbtools.detect.hog:HogDetector",
    "haar": "sbtools.detect.haar:HaarDetector",
    "motion": "sbtools.detect.motion:MotionDetector",
}
"""Name -> class; other packages add to it through the entry-point group sbtools.detectors."""

SEGMENTERS = {
    "boxes": "sbtools.segment.boxed:BoxSegmenter",
    "grabcut": "sbtools.segment.grabcut:GrabCutSegmenter",
    "mat": "sbtools.segment.mat:MatSegmenter",
    "png": "sbtools.segment.png:PngSegmenter",
    "rle": "sbtools.segment.rle:RleSegmenter",
    "sam": "sbtools.segment.sam:SamSegmenter",
}
"""Name -> class; other packages add to it through the entry-point group sbtools.segmenters."""

SCORERS = {
    "places365": "sbtools.scenes.places365:Places365",
    "clip": "sbtools.scenes.clip:ZeroShot",
    "record": "sbtools.scenes.record:OfRecord",
}
"""Name -> class; other packages add to it through the entry-point group sbtools.scorers."""

TABLES = {"detector": DETECTORS, "segmenter": SEGMENTERS, "scorer": SCORERS}


FLAGS = {
    "model": "--set-model",
    "objective": "--set-objective",
    "optimiser": "--set-optimiser",
    "schedule": "--set-schedule",
}
"""What a setting belongs to -> the option that gives it, where that is not --set."""


@dataclass(frozen=True)
class BackendSpec:
    """A back end before it is made: what it is ("detector"), its name, its settings."""

    what: str
    name: str
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def type(self) -> Any:
        """Its class; UsageError that lists the names when there is none of this name."""
        return pick(TABLES[self.what], f"sbtools.{self.what}s", self.name, self.what)

    def make(self) -> Any:
        """The back end itself; UsageError when a setting is not one of its own."""
        return self.type(**checked(self.type, self.settings, f"{self.what} {self.name}"))


def checked(
    made: Any, settings: Mapping[str, Any], whose: str, given: Collection[str] = ()
) -> dict[str, Any]:
    """`settings` as the signature of `made` wants them; text becomes the type of the default.

    given: arguments that are no settings.
    """
    parameters = inspect.signature(made).parameters
    known = {name: each for name, each in parameters.items() if name not in given}
    out = {}
    for name, value in settings.items():
        if name not in known:
            names = ", ".join(known) or "none"
            raise UsageError(f"{whose} has no setting '{name}'; it has {names}")
        out[name] = _typed(value, known[name].default, f"{whose}: {name}")
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in out:
            flag = FLAGS.get(whose.partition(" ")[0], "--set")
            raise UsageError(f"{whose} needs the setting {name}: {flag} {name}=...")
    return out


def _typed(value: Any, default: Any, where: str) -> Any:
    if not isinstance(value, str) or default is inspect.Parameter.empty or default is None:
        return value
    if isinstance(default, bool):
        if value.lower() in ("true", "false"):
            return value.lower() == "true"
        raise UsageError(f"{where} is true or false, not '{value}'")
    try:
        return type(default)(value)
    except ValueError:
        kind = {int: "a whole number", float: "a number"}.get(type(default), "of another kind")
        raise UsageError(f"{where} is {kind}, not '{value}'") from None


def parse_settings(pairs: Iterable[str]) -> dict[str, str]:
    """NAME=VALUE pairs; UsageError for anything else, or a name given twice."""
    out: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"'{pair}' is not NAME=VALUE")
        if name in out:
            raise UsageError(f"'{name}' is set twice")
        out[name] = value
    return out
