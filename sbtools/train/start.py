"""What a new run starts from."""

from __future__ import annotations

import os

from sbtools import models
from sbtools.errors import UsageError
from sbtools.methods.base import Method
from sbtools.methods.several import members_of
from sbtools.models.base import VideoModel
from sbtools.models.tensors import Run
from sbtools.registry import pick
from sbtools.train.checkpoint import BEST, LAST, PREVIOUS, read
from sbtools.train.folder import RUN, read_run
from sbtools.train.settings import Settings
from sbtools.train.trained import method_of


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
            f"--weights {weights} is a run, and model {settings.model} starts from weights in a file"
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
