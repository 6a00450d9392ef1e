"""What a new run starts from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from sbtools import models
from sbtools.errors import UsageError
from sbtools.methods.base import Method
from sbtools.methods.several import members_of
from sbtools.models.base import VideoModel
from sbtools.models.external import is_external
from sbtools.models.tensors import Run
from sbtools.registry import pick
from sbtools.train.checkpoint import BEST, LAST, PREVIOUS, read
from sbtools.train.folder import RUN, read_run
from sbtools.train.settings import Settings
from sbtools.train.trained import method_of


def model_of(
    name: str, options: Mapping[str, Any], before: Mapping[str, Any] | None = None
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The model that is asked for, its options, and the defaults of Settings that suit it.

    torchvision:NAME, hf:FOLDER and package.module:factory are backbones of model linear. `before`
    are the settings of a run that is to go on, which needs no such folder any more. Raises
    UsageError for a model or options that cannot be.
    """
    if is_external(name):
        if "backbone" in options:
            raise UsageError(f"--model {name} is a backbone, so --set-model gives no other")
        name, options = "linear", {"backbone": name, **options}
    made = pick(models.MODELS, "sbtools.models", name, "model")
    try:
        return name, *made.settled(options)
    except UsageError:
        begun = (before or {}).get("model_settings", {})
        if any(begun.get(key) != value for key, value in options.items()) or not begun:
            raise
        kept = {key: value for key, value in begun.items() if key in options or key == "settings"}
        return name, kept, {**made.defaults, "frames": (before or {})["frames"]}


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
            f"--weights {weights} is a run, and model {settings.model} starts from a file of "
            "weights"
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
