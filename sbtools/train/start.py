"""What a new run starts from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sbtools import models
from sbtools.errors import UsageError
from sbtools.methods.base import Method
from sbtools.methods.several import members_of
from sbtools.models import hf_models
from sbtools.models.base import VideoModel
from sbtools.models.external import is_external
from sbtools.models.tensors import Run
from sbtools.registry import pick
from sbtools.train.checkpoint import BEST, LAST, PREVIOUS, read
from sbtools.train.folder import RUN, read_run
from sbtools.train.settings import Settings
from sbtools.train.trained import method_of
from sbtools.weights import hub


@dataclass(frozen=True)
class Start:
    """A model by its name in `sbtools.models`, its options, the defaults of Settings that suit it,
    and the weights it starts from, as Settings has them.

    frames: how many the weights are made for; None where that is a choice, or they are gone.
    """

    model: str
    options: dict[str, Any]
    defaults: dict[str, Any]
    weights: str | None
    frames: int | None = None

    def require_frames(self, asked: int) -> None:
        """UsageError where the model of these weights sees another number of frames."""
        if self.frames and self.frames != asked:
            count = self.frames
            raise UsageError(f"{self.weights} takes {count} frames, not {asked}: --frames {count}")


def start(
    name: str,
    options: Mapping[str, Any],
    weights: str | None = None,
    before: Mapping[str, Any] | None = None,
) -> Start:
    """The model that is asked for.

    hf:FOLDER and hf:ORG/NAME are the model that is there: one that reads texts, with the folder's
    weights, else a backbone of model linear, as torchvision:NAME and package.module:factory are.
    `before` are the settings of a run that is to go on, which needs no such folder any more. Raises
    UsageError for a model, options or weights that cannot be.
    """
    name, weights = _by_folder(name, weights, before)
    if is_external(name):
        if "backbone" in options:
            raise UsageError(
                f"--model {name} is a backbone by itself: leave --set-model backbone= out"
            )
        name, options = "linear", {"backbone": name, **options}
    made = pick(models.MODELS, "sbtools.models", name, "model")
    begun = (before or {}).get("model_settings", {})
    try:
        kept, defaults = made.settled(options)
    except UsageError:
        if any(begun.get(key) != value for key, value in options.items()) or not begun:
            raise
        kept = {key: value for key, value in begun.items() if key in options or key == "settings"}
        return Start(name, kept, {**made.defaults, "frames": (before or {})["frames"]}, weights)
    if weights is None:
        return Start(name, kept, defaults, None)
    try:
        count = models.usual_frames(name, weights)
    except UsageError:
        if before is None or not _same(before, name, weights):
            raise
        return Start(name, kept, {**defaults, "frames": before["frames"]}, weights)
    return Start(name, kept, {**defaults, **({"frames": count} if count else {})}, weights, count)


def _by_folder(
    name: str, weights: str | None, before: Mapping[str, Any] | None
) -> tuple[str, str | None]:
    """The name of the model that hf:FOLDER holds, and its weights, where it reads texts."""
    if not name.startswith(hub.PREFIX):
        return name, weights
    if before and _same(before, before["model"], name):
        return before["model"], name
    if before and before["model_settings"].get("backbone") == name:
        return name, weights
    found = hf_models.model_of(hub.folder_of(name))
    if not found:
        return name, weights
    if weights is not None:
        raise UsageError(
            f"--model {name} has its weights in the folder: leave --weights out, or --model {found}"
        )
    return found, name


def _same(before: Mapping[str, Any], name: str, weights: str) -> bool:
    return (before.get("model"), before.get("weights")) == (name, weights)


def new_model(settings: Settings) -> VideoModel:
    """The model as a run begins with it.

    Raises UsageError for weights that are not the model's, DamagedError for damaged ones.
    """
    model = models.build(
        settings.model,
        list(settings.classes) or None,
        list(settings.texts) or None,
        run_of(settings) or settings.weights,
        settings.frames,
        **settings.model_settings,
    )
    if settings.freeze:
        model.freeze()
    return model


def start_of(weights: str) -> str:
    """The checkpoint in the folder of a run: the best one where `--select` chose it, else the last;
    of anything else itself."""
    if not os.path.lexists(os.path.join(weights, RUN)):
        return weights
    told = (read_run(weights) or {})["settings"].get("select", "last")
    return os.path.join(weights, LAST if told == "last" else BEST)


def run_of(settings: Settings) -> Run | None:
    """The run that a run starts from, if it starts from one.

    Raises UsageError where the model cannot start from a run, where that has no checkpoint, and
    where its method changes what the last layer sees, which the new run would lack; DamagedError
    where the checkpoint is not whole.
    """
    weights = settings.weights or ""
    path = start_of(weights)
    able = pick(models.MODELS, "sbtools.models", settings.model, "model").takes_runs
    if path == weights and not (able and _is_checkpoint(path)):
        return None
    if not able:
        raise UsageError(
            f"--weights {weights} is a run, and model {settings.model} starts from a file: give "
            "that of the weights"
        )
    state = read(path)[0]
    for member in members_of(method_of(Settings.restore(state["settings"]))):
        if type(member).represent is not Method.represent:
            raise UsageError(
                f"--weights {weights}: method {member.name} changes what the last layer of that "
                "run sees, and its weights alone are not the model: start from another run"
            )
    return Run(path, state["spec"], state["model"])


def _is_checkpoint(path: str) -> bool:
    ours = os.path.basename(path) in (LAST, PREVIOUS, BEST)
    return ours and os.path.lexists(f"{path}.sha256")
