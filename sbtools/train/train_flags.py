"""The flags that decide the weights, and what a preset adds to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sbtools import presets
from sbtools.backends import parse_settings
from sbtools.presets import PARTS, Preset

MODEL, METHOD = "vificlip", "none"


@dataclass(frozen=True)
class TrainFlags:
    """The flags that decide the weights.

    model, method and objective with their NAME=VALUE pairs; where None, the preset's, else MODEL,
    METHOD and the objective of the model. values: fields of Settings; None is the preset's value,
    else the model's default, else that of Settings. preset: of `sbtools.presets`.
    """

    model: str | None = None
    method: str | None = None
    objective: str | None = None
    model_pairs: Sequence[str] = ()
    method_pairs: Sequence[str] = ()
    objective_pairs: Sequence[str] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    optimiser_pairs: Sequence[str] = ()
    schedule_pairs: Sequence[str] = ()
    preset: str | None = None


def with_preset(asked: TrainFlags) -> TrainFlags:
    """The flags with those of the preset where none are given; model and method are named then.

    Settings of a part, such as the model, count where the part is the preset's. Raises UsageError
    for an unknown preset.
    """
    if asked.preset is None:
        return replace(asked, model=asked.model or MODEL, method=asked.method or METHOD)
    preset = presets.find(asked.preset)
    values = {
        field_of(name): _typed(name, value)
        for name, (value, _) in preset.settings.items()
        if "." not in name and name not in ("model", "method", "objective")
    }
    given = {name: value for name, value in asked.values.items() if value is not None}
    if given.get("optimiser", values.get("optimiser")) != values.get("optimiser"):
        values = {name: value for name, value in values.items() if name not in ("betas", "eps")}
    values |= given
    usual = {"model": MODEL, "method": METHOD, "objective": None}
    told: dict[str, Any] = {
        part: getattr(asked, part) or preset.value(part) or usual[part] for part in usual
    }
    merged = replace(asked, **told, values=values)
    pairs: dict[str, Any] = {f"{part}_pairs": _pairs(part, merged, preset) for part in PARTS}
    return replace(merged, **pairs)


def field_of(name: str) -> str:
    """The field of Settings that an option of a preset is."""
    return {"group": "groups"}.get(name, name.replace("-", "_"))


def _typed(name: str, value: Any) -> Any:
    if name == "betas":
        return tuple(float(part) for part in str(value).split(","))
    return value


def _pairs(part: str, asked: TrainFlags, preset: Preset) -> Sequence[str]:
    """NAME=VALUE of a part: the preset's, then what is given."""
    given: Sequence[str] = getattr(asked, f"{part}_pairs")
    name = asked.values.get(part) if part in ("optimiser", "schedule") else getattr(asked, part)
    if name != preset.value(part):
        return given
    taken = parse_settings(given)
    own = [f"{key}={value}" for key, value in preset.of(part).items() if key not in taken]
    return [*own, *given]
