"""What a training run is asked to do, as RUN/run.json keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from sbtools.errors import DamagedError, UsageError


@dataclass(frozen=True)
class Settings:
    """Everything that the weights depend on, besides records, weights at the start, and code.

    model, method, objective: names; *_settings: their keyword arguments, checked.
    classes, texts: class names in order of their numbers, and what is read for them.
    batch: clips of a step on all ranks together. accumulate: parts in which a rank goes through
    its share. lr_floor: the learning rate at the end, as a share of lr. warmup: epochs.
    optimiser: of `sbtools.train.optimisers.OPTIMISERS`. groups: rules of `sbtools.train.groups`, as
    text. schedule: of `sbtools.train.schedules.SCHEDULES`; a run that names none has the one given
    here.
    precision: auto, float32 or bfloat16. ema: decay of the averaged weights, 0 for none.
    clip_grad: the largest gradient norm, 0 for any. select: last, val or eval-as-published.
    freeze: train the model's head alone.
    """

    model: str
    method: str = "none"
    objective: str = "infonce"
    model_settings: dict[str, Any] = field(default_factory=dict)
    method_settings: dict[str, Any] = field(default_factory=dict)
    objective_settings: dict[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    weights: str | None = None
    weights_sha256: str | None = None
    frames: int = 8
    fixed_frames: bool = False
    epochs: int = 12
    batch: int = 32
    accumulate: int = 1
    optimiser: str = "adamw"
    optimiser_settings: dict[str, Any] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    lr: float = 2e-6
    weight_decay: float = 0.001
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-8
    warmup: float = 0.0
    lr_floor: float = 0.01
    schedule: str = "cosine"
    schedule_settings: dict[str, Any] = field(default_factory=dict)
    clip_grad: float = 0.0
    ema: float = 0.0
    precision: str = "auto"
    checkpoint_activations: bool = False
    select: str = "last"
    seed: int = 0
    freeze: bool = False

    def describe(self) -> dict[str, Any]:
        """JSON-ready; tuples become lists."""
        told = asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in told.items()}

    @classmethod
    def restore(cls, told: Mapping[str, Any]) -> Settings:
        """The settings of `describe`; UsageError for a field that is not known here,
        DamagedError for one of another type."""
        known = {field.name: field for field in fields(cls)}
        strange = sorted(set(told) - set(known))
        if strange:
            raise UsageError(
                f"the run has a setting '{strange[0]}' that this sbtools does not know: install a "
                "newer one"
            )
        made: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in told.items()}
        for name, value in made.items():
            if not _fits(value, str(known[name].type)):
                shown = " ".join(ascii(value).split())[:40]
                raise DamagedError(f"the run's setting '{name}' is damaged: {shown}")
        if "model" not in made:
            raise DamagedError("the run's settings are damaged: they name no model")
        return cls(**made)


def _fits(value: Any, kind: str) -> bool:
    """Whether a value is of a field's annotation: str, int, float, bool, dict, tuples of them."""
    if kind.startswith("tuple["):
        inner = kind[len("tuple[") : -1].split(", ")
        count = None if inner[-1] == "..." else len(inner)
        right = isinstance(value, tuple) and count in (None, len(value))
        return right and all(_fits(item, inner[0]) for item in value)
    plain = kind.partition("[")[0]
    if plain == "float":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    allowed = {"str": str, "int": int, "bool": bool, "dict": dict}
    if plain.endswith(" | None"):
        return value is None or type(value) is allowed[plain.removesuffix(" | None")]
    return type(value) is allowed[plain]
