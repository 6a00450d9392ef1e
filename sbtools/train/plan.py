"""What a training is to do: the flags over the model's defaults, checked, and told in words."""

from __future__ import annotations

import logging
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from sbtools import methods, models, objectives
from sbtools.backends import parse_settings
from sbtools.errors import UsageError
from sbtools.files import sha256_of
from sbtools.index import labels
from sbtools.loader import needs
from sbtools.methods.base import Method
from sbtools.methods.several import JOIN, members_of
from sbtools.models.base import VideoModel
from sbtools.registry import pick
from sbtools.train.phases import require_provided
from sbtools.train.rates import pairs, tell_rates, with_rates
from sbtools.train.sampled import frames_told, require_frames
from sbtools.train.schedules import Schedule
from sbtools.train.settings import Settings
from sbtools.train.start import new_model, start, start_of
from sbtools.train.train_flags import TrainFlags, with_preset

log = logging.getLogger("sbtools")

SELECT = ("last", "val", "eval-as-published")
_AT_LEAST = {"frames": 1, "epochs": 1, "batch": 1, "accumulate": 1}
_NOT_BELOW_0 = ("weight_decay", "warmup", "lr_floor", "clip_grad")


def settle(asked: TrainFlags, before: Mapping[str, Any] | None = None) -> tuple[Settings, Method]:
    """The settings but for classes and weights, and the method, which says what it needs.

    `before` are the settings of a run that is to go on. Raises UsageError for a name, a setting or
    a number that cannot be.
    """
    asked = with_preset(asked)
    given_options = parse_settings(asked.model_pairs)
    given = {name: value for name, value in asked.values.items() if value is not None}
    begun = start(str(asked.model), given_options, given.get("weights"), before)
    model, suited = begun.model, begun.defaults
    chosen = str(asked.method)
    made = pick(models.MODELS, "sbtools.models", model, "model")
    known = {field.name for field in fields(Settings)}
    defaults = {name: value for name, value in suited.items() if name in known}
    own = {"seed": given.get("seed", Settings.seed)} if models.takes(model, "seed") else {}
    name = asked.objective or defaults.get("objective") or Settings.objective
    objective = objectives.build(name, **parse_settings(asked.objective_pairs))
    names = chosen.split(JOIN)
    method = methods.build(chosen, **methods.assigned(names, parse_settings(asked.method_pairs)))
    for text in (text for member in members_of(method) for text in member.remarks()):
        log.info("%s", text)
    require_provided(made.provides, model, method, objective)
    needs.build(method.needs, f"method {chosen}")
    own |= begun.options
    settings = Settings(
        **{
            **defaults,
            **frames_told(model, own),
            **given,
            "weights": begun.weights,
            "model": model,
            "method": chosen,
            "objective": name,
            "model_settings": own,
            "method_settings": dict(method.settings()),
            "objective_settings": dict(objective.settings()),
        }
    )
    require_sound(settings)
    require_frames(settings)
    begun.require_frames(settings.frames)
    if settings.freeze and made.freeze is VideoModel.freeze:
        raise UsageError(
            f"--freeze trains the head alone, and model {model} has none: leave it out"
        )
    return with_rates(settings, asked), method


def require_sound(settings: Settings) -> None:
    """UsageError for a number that no training can have."""
    for name, least in _AT_LEAST.items():
        if getattr(settings, name) < least:
            raise UsageError(f"--{name} must be {least} or more, not {getattr(settings, name)}")
    for name in ("lr", "eps"):
        if not 0 < getattr(settings, name) < math.inf:
            raise UsageError(f"--{name} must be above 0, not {getattr(settings, name):g}")
    for name in _NOT_BELOW_0:
        if not 0 <= getattr(settings, name) < math.inf:
            shown = name.replace("_", "-")
            raise UsageError(f"--{shown} must be 0 or more, not {getattr(settings, name):g}")
    if not 0 <= settings.ema < 1:
        raise UsageError(f"--ema must be from 0 to below 1, not {settings.ema:g}")
    if not all(0 <= beta < 1 for beta in settings.betas):
        raise UsageError("--betas must be two numbers from 0 to below 1")
    if settings.accumulate > settings.batch:
        raise UsageError(
            f"--accumulate {settings.accumulate} is more than the clips of --batch {settings.batch}"
        )
    if settings.warmup > settings.epochs:
        log.warning(
            "the warm-up takes %g epochs, and there are %d: lr never gets to %g (--warmup)",
            settings.warmup, settings.epochs, settings.lr,
        )  # fmt: skip


def with_classes(
    settings: Settings, asked: str | None, found: Counter[str], texts: Mapping[str, str]
) -> Settings:
    """The settings with their classes: those of --classes, else the labels of the records.

    Raises UsageError for a label that is none of the classes.
    """
    if asked is not None:
        table = labels.listed(asked)
        classes = tuple(table.names)
        require_labels(classes, found, table)
    else:
        classes = tuple(sorted(found))
        log.info(
            "the classes are the %d labels of the records (--classes names others)", len(classes)
        )
    read = tuple(texts.get(name, name) for name in classes)
    return replace(settings, classes=classes, texts=() if read == classes else read)


def require_labels(
    classes: Iterable[str], found: Iterable[str], table: labels.Labels | None = None
) -> None:
    """UsageError that names a label which is none of the classes."""
    strange = sorted(set(found) - set(classes))
    if strange:
        meant = table.get(strange[0]) if table is not None else None
        hint = f" (it is spelled {meant!a} there)" if meant else ""
        more = f", nor are {len(strange) - 1} other labels" if len(strange) > 1 else ""
        raise UsageError(
            f"label {strange[0]!a} of the records is none of the classes{hint}{more}: --classes "
            "names all of them, sbtools split --exclude leaves clips of some out"
        )


def with_schedule(
    settings: Settings, asked: TrainFlags, before: Mapping[str, Any] | None
) -> Settings:
    """The settings, with the run's own schedule where `before`, its settings, names none.

    Those runs were begun when there was but one, which Settings has.
    """
    if before is None or "schedule" in before or asked.values.get("schedule") is not None:
        return settings
    return replace(settings, schedule=Settings.schedule)


def with_weights(settings: Settings, before: Settings | None = None) -> Settings:
    """The settings with the SHA-256 of the file of weights, or of those in a folder.

    What is gone is taken to be what `before`, the run's own settings, says of it.
    """
    if settings.weights is None:
        return settings
    path = start_of(settings.weights)
    try:
        if os.path.isfile(path):
            return replace(settings, weights_sha256=sha256_of(path))
        found = models.folder_digest(settings.model, path)
    except OSError as error:
        raise UsageError(f"--weights {path}: {error.strerror}") from None
    except UsageError:
        if before is None or before.weights != settings.weights:
            raise
        found = None
    if found is None and before is not None and before.weights == settings.weights:
        found = before.weights_sha256
    return settings if found is None else replace(settings, weights_sha256=found)


def steps_of(settings: Settings, clips: int, ranks: int = 1) -> int:
    """Optimiser steps in an epoch, as `sbtools.loader.batches` cuts it.

    Raises UsageError where a batch, or all clips, are fewer than the ranks.
    """
    if min(settings.batch, clips) < ranks:
        what = f"--batch {settings.batch}" if settings.batch < ranks else f"{clips} clips"
        raise UsageError(f"{what} cannot be shared by {ranks} ranks: use fewer of them")
    steps = math.ceil(clips / settings.batch)
    left = clips - (steps - 1) * settings.batch
    return steps - 1 if steps > 1 and left < ranks else steps


def warn_of_rate(settings: Settings, steps: int) -> None:
    """Warn where no step of the run has a learning rate; `steps` are those of an epoch."""
    planned = Schedule.of(settings, steps)
    if not any(map(planned.factor, range(planned.steps))):
        log.warning(
            "lr is 0 in all %d steps of the run, by schedule %s: --warmup 0, or more epochs",
            planned.steps, settings.schedule,
        )  # fmt: skip


def tell(settings: Settings, told: Mapping[str, Any], ranks: int, where: str) -> Iterator[str]:
    """The plan in lines of words."""
    counts = told["records"]
    steps = steps_of(settings, counts["clips"], ranks)
    failed = (
        f" ({counts['failed']} more failed before and are left out)" if counts["failed"] else ""
    )
    if told.get("preset"):
        yield f"preset {told['preset']} (sbtools train --help-preset {told['preset']})"
    yield f"{counts['clips']} clips of {len(settings.classes)} classes{failed}"
    if told.get("val"):
        yield f"{told['val']['clips']} clips to validate on, select {settings.select}"
    yield (
        f"{_model(settings)}, method {settings.method}"
        f"{pairs(settings.method_settings)}, objective {settings.objective}, "
        f"{settings.frames} frames from {_frame_source(settings, told['frame_source'])}"
    )
    parts = f" in {settings.accumulate} parts" if settings.accumulate > 1 else ""
    yield (
        f"{settings.epochs} epochs of {steps} steps, {settings.batch} clips a step{parts}, on "
        f"{ranks} {where}{'s' if ranks > 1 else ''}"
    )
    yield from tell_rates(settings, steps)


def _model(settings: Settings) -> str:
    """The model, what it stands upon, what it starts from, and how much of it is trained."""
    backbone = str(settings.model_settings.get("backbone", ""))
    own = "the folder's weights" if backbone.startswith("hf:") else "random weights"
    over = f" over {backbone}" if backbone else ""
    frozen = ", the head alone" if settings.freeze else ""
    return f"{settings.model}{over} ({settings.weights or own}{frozen})"


def _frame_source(settings: Settings, told: Mapping[str, Any]) -> str:
    usual = told.get("candidates")
    kinds = " and ".join(name for name in ("pixels", "masks", "video") if told.get(name))
    fixed = ", the same in every epoch" if settings.fixed_frames else ""
    return (f"{kinds}, {usual} candidates a clip" if usual else kinds) + fixed


def parameters(settings: Settings) -> str:
    """How large the model is; it is built for this."""
    model = new_model(settings)
    count = sum(value.numel() for value in model.parameters())
    trained = sum(
        value.numel() for group in model.groups() for value in group["params"]
        if value.requires_grad
    )  # fmt: skip
    return f"{count:,} parameters, {trained:,} of them trained"
