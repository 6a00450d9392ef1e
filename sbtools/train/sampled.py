"""The frames that a model's rule of sampling asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sbtools import models
from sbtools.errors import UsageError
from sbtools.models.recipe import frames_of, segments_of
from sbtools.train.settings import Settings


def sampling_of(model: str, settings: Mapping[str, Any]) -> str:
    """The rule by which a model of these settings samples; "" where it has no such setting."""
    return str(settings.get("sampling") or models.default_of(model, "sampling") or "")


def frames_told(model: str, settings: Mapping[str, Any]) -> dict[str, int]:
    """{"frames": T} where the rule tells how many; UsageError for a text that is no rule."""
    count = frames_of(sampling_of(model, settings))
    return {"frames": count} if count else {}


def require_frames(settings: Settings) -> None:
    """UsageError where the rule shows another number of frames than the model sees."""
    rule = sampling_of(settings.model, settings.model_settings)
    shown = frames_of(rule)
    if shown and shown != settings.frames:
        raise UsageError(
            f"sampling {rule} shows {shown} frames, and the model sees {settings.frames}: --frames "
            f"{shown}, or another --set-model sampling="
        )


def require_neighbours(settings: Settings, uneven: int | None) -> None:
    """UsageError where the rule takes frames beside each other, and stores leave some out.

    uneven: how many frames the stores hold of most clips, where these are not evenly spaced.
    """
    rule = sampling_of(settings.model, settings.model_settings)
    segments = segments_of(rule) if rule else None
    if uneven is not None and segments is not None and segments.length > 1:
        raise UsageError(
            f"sampling {rule} takes frames at even distances, and the stores hold {uneven} of a "
            "clip, which are not: segment with --frames all, or another --set-model sampling="
        )
