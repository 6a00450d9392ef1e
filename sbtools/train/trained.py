"""Models that a run has trained."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from sbtools import methods, models, objectives
from sbtools.errors import DamagedError, UsageError
from sbtools.methods.base import Method
from sbtools.models.base import Group, VideoModel
from sbtools.objectives.base import Objective
from sbtools.train.checkpoint import BEST, LAST, read
from sbtools.train.fitting import take_fitted
from sbtools.train.settings import Settings
from sbtools.train.sound import require_sound, restoring

WHICH = {"last": LAST, "best": BEST, "ema": LAST}


@dataclass(frozen=True)
class Trained:
    """A model and its method on the CPU, in test mode, and where they come from.

    spec: what `sbtools.models.rebuild` takes. sha256: of the file at `path`. which: last, best or
    ema. progress: epoch and step, how many are done; best, None or {"epoch", "val_top1", "select"}.
    """

    model: VideoModel
    method: Method
    settings: Settings
    spec: dict[str, Any]
    sha256: str
    path: str
    which: str
    progress: dict[str, Any]


def load(where: str | os.PathLike[str], which: str = "last") -> Trained:
    """The weights of a run's folder, or of one of its checkpoints.

    which: last; best, by what `--select` named; or ema, the averaged ones, in the newest
    checkpoint or in the one that is given. Raises UsageError where there is no such file or no
    average in it, DamagedError when the file is damaged or refused.
    """
    path = _path(os.fspath(where), which)
    state, digest = read(path)
    require_sound(state, path)
    held = state
    if which == "ema":
        if not state.get("ema"):
            raise UsageError(f"{path} has no averaged weights: train with --ema")
        held = state["ema"]
    with restoring(path):
        settings = Settings.restore(state["settings"])
        model, method = models.rebuild(state["spec"]), method_of(settings)
        build_modules(model, method, settings, state.get("facts", {}))
        fill(model, held["model"])
        fill(method, held["method"])
        take_fitted(method, state.get("fitted", {}))
    progress = {name: state["progress"].get(name) for name in ("epoch", "step", "best")}
    return Trained(
        model.eval(), method.eval(), settings, state["spec"], digest, path, which, progress
    )


def method_of(settings: Settings) -> Method:
    """The method, or methods, that the settings name."""
    return methods.build(settings.method, **settings.method_settings)


def objective_of(settings: Settings) -> Objective:
    """The objective that the settings name."""
    return objectives.build(settings.objective, **settings.objective_settings)


def build_modules(
    model: VideoModel, method: Method, settings: Settings, facts: Mapping[str, Any]
) -> list[Group]:
    """The modules of the method, and their parameter groups."""

    def build(name: str | None = None, **options: Any) -> VideoModel:
        if name is None:
            return models.rebuild(model.spec())
        given = list(settings.classes), list(settings.texts) or None
        return models.build(name, *given, frames=settings.frames, **options)

    return method.build_modules(model, facts, build)


def fill(module: nn.Module, held: Mapping[str, Any]) -> None:
    """Load all weights of a checkpoint; DamagedError if these are another module's."""
    try:
        module.load_state_dict(held)
    except RuntimeError as fault:
        reason = " ".join(str(fault).split())[:200]
        raise DamagedError(f"the checkpoint does not fit its own settings: {reason}") from None


def _path(where: str, which: str) -> str:
    if which not in WHICH:
        raise UsageError(f"--which is {', '.join(WHICH)}, not '{which}'")
    if not os.path.isdir(where):
        return where
    path = os.path.join(where, WHICH[which])
    if os.path.lexists(path):
        return path
    if which == "best":
        raise UsageError(f"{where} has no {BEST}: train with --val and --select, or take last")
    raise UsageError(f"{where} has no {LAST}: nothing was trained there yet")
