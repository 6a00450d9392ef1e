"""All that a rank needs before its first step, new or from a checkpoint."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from sbtools import models, records
from sbtools.errors import DamagedError, SbtoolsError
from sbtools.loader import Clips, batches
from sbtools.loader import needs as needs_of
from sbtools.models.base import Group
from sbtools.models.flops import clip_flops
from sbtools.objectives.base import Objective
from sbtools.rng import generator
from sbtools.threads import settle
from sbtools.train.average import Average
from sbtools.train.checkpoint import Checkpoints, State, read
from sbtools.train.epoch_metrics import EpochMetrics
from sbtools.train.fitting import fit, take_fitted
from sbtools.train.folder import RECORDS, RUN, VAL, read_run
from sbtools.train.group import Ranks
from sbtools.train.opened import open_all
from sbtools.train.optim import optimizer_of
from sbtools.train.optimizer_step import OptimizerStep
from sbtools.train.phases import require_phases
from sbtools.train.schedules import Schedule
from sbtools.train.settings import Settings
from sbtools.train.sound import require_fitting, require_sound, restoring
from sbtools.train.start import new_model
from sbtools.train.step import Step
from sbtools.train.trained import build_modules, fill, method_of, objective_of

log = logging.getLogger("sbtools")

FIELDS = (
    "id", "label", "text", "video", "start", "end", "fps", "masks", "pixels", "arrays", "source",
)  # fmt: skip
"""Of records, what ranks keep for every method; its needs name others."""


@dataclass
class Progress:
    """How far a run has come.

    epoch: how many are done. place: steps of the next one that are done. step: of all. best: the
    epoch and val_top1 of the best one. lines: of the epochs. tally: of this rank, in this epoch.
    """

    epoch: int = 0
    place: int = 0
    step: int = 0
    best: dict[str, Any] | None = None
    lines: list[dict[str, Any]] = field(default_factory=list)
    tally: EpochMetrics = field(default_factory=EpochMetrics)

    def improved(self, top1: float | None, select: str) -> bool:
        """Whether the epoch just done is the best so far, which is noted."""
        if top1 is None or select == "last":
            return False
        if self.best and top1 <= self.best["val_top1"]:
            return False
        self.best = {"epoch": self.epoch, "val_top1": top1, "select": select}
        return True

    def describe(self, tally: EpochMetrics) -> dict[str, Any]:
        """JSON-ready, with the tally of all ranks."""
        return {**vars(self), "tally": tally.describe()}

    @classmethod
    def restore(cls, told: Mapping[str, Any], rank: int) -> Progress:
        """Of `describe`; rank 0 goes on with what all have counted."""
        tally = EpochMetrics(told["tally"] if rank == 0 else None)
        return cls(**{**told, "lines": list(told["lines"]), "tally": tally})


@dataclass
class TrainingState:
    """What `restore_or_init` makes: settings and data, what changes the weights, how far it is."""

    settings: Settings
    clips: Clips
    val: Clips | None
    updates: OptimizerStep
    schedule: Schedule
    average: Average | None
    progress: Progress
    checkpoints: Checkpoints
    facts: dict[str, Any]
    fitted_now: bool
    """Whether the method was fitted just now, which the next checkpoint keeps."""


def restore_or_init(
    folder: str,
    ranks: Ranks,
    root: str | None,
    cache: str | None,
    ask: Callable[[], str | None] = lambda: None,
    threads: int | None = None,
    cores: int = 1,
) -> TrainingState:
    """Read the run in `folder`, and its newest good checkpoint where there is one.

    threads and cores: as `sbtools.threads.settle` takes them.

    Raises DamagedError when run.json or every checkpoint is damaged, SbtoolsError without clips,
    and `fitting.Stopped` where `ask` says a word while the method is fitted.
    """
    told = read_run(folder)
    if told is None:
        raise DamagedError(f"{folder} has no {RUN}: --overwrite, or give another -o")
    settings = Settings.restore(told["settings"])
    checkpoints = Checkpoints(folder)
    state = _newest(checkpoints, folder, ranks)
    facts = told.get("facts", {})
    step, groups = _modules(settings, state, facts, ranks)
    settle(threads, cores, lambda: _pass_flops(settings, step, ranks), ranks.device.type == "cpu")
    kept = read_records(os.path.join(folder, RECORDS), step.method.needs)
    if not len(kept):
        raise SbtoolsError(
            f"{folder}: no clip is left to train on, as all failed in earlier stages"
        )
    open_all(step.method, told.get("resources", {}), ranks.device)
    optimizer = optimizer_of(step, groups, settings)
    average = Average(step, settings.ema) if settings.ema and ranks.rank == 0 else None
    progress = Progress()
    if state is not None:
        before = [dict(group) for group in optimizer.param_groups]
        with restoring(folder):
            optimizer.load_state_dict(state["optimizer"])
            require_fitting(optimizer, before)
            progress = Progress.restore(state["progress"], ranks.rank)
            if average:
                average.restore(state["ema"])
    clips = _clips(kept, settings, step, root, cache, True, facts)
    if state is None:
        fitted = fit(step.method, step.model, clips, ranks, settings.seed, folder, ask)
    else:
        fitted = state.get("fitted", {})
    take_fitted(step.method, fitted, ranks.device)
    each = len(batches(len(clips), settings.seed, 0, settings.batch, ranks.world, ranks.rank))
    return TrainingState(
        settings,
        clips,
        _val(os.path.join(folder, VAL), settings, step, root, cache),
        OptimizerStep(step, optimizer, settings, ranks),
        Schedule.of(settings, each),
        average,
        progress,
        checkpoints,
        facts,
        state is None and bool(fitted),
    )


def read_records(path: str, needs: needs_of.Needs | None = None) -> records.Columns:
    """The records of a run that have not failed, as columns."""
    more = needs_of.fields_of(needs_of.build(needs or {}).values())
    kept = records.Columns(tuple(dict.fromkeys([*FIELDS, *more])))
    with open(path, "rb") as file:
        for record in records.read(file, path):
            if "error" not in record:
                kept.append(record)
    return kept


def _newest(checkpoints: Checkpoints, folder: str, ranks: Ranks) -> State | None:
    """Rank 0 finds the checkpoint, the others read the same."""
    found = checkpoints.newest() if ranks.rank == 0 else None
    name = ranks.first(found and found[0])
    if name is None:
        return None
    if ranks.rank == 0 and found:
        log.info("%s continues from %s", folder, name)
        state = found[1]
    else:
        state = read(os.path.join(folder, name))[0]
    require_sound(state, os.path.join(folder, name))
    return state


def _modules(
    settings: Settings, state: State | None, facts: Mapping[str, Any], ranks: Ranks
) -> tuple[Step, list[Group]]:
    """Model, method and objective on the device, and what of them is trained."""
    torch.manual_seed(int(generator(settings.seed, "", "weights").integers(1 << 62)))
    if state is None:
        model = new_model(settings)
    else:
        with restoring("the checkpoint"):
            model = models.rebuild(state["spec"])
            fill(model, state["model"])
            if settings.freeze:
                model.freeze()
    model.to(ranks.device).checkpoint_activations(settings.checkpoint_activations)
    method, objective = method_of(settings), objective_of(settings)
    own = build_modules(model, method, settings, facts)
    step = Step(model, method, objective, settings.precision)
    if state is not None:
        fill(method, state["method"])
        fill(objective, state.get("objective", {}))
    step.to(ranks.device)
    groups = [*model.groups(), *own, *_objective_group(objective)]
    require_phases(step, groups)
    return step, groups


def _pass_flops(settings: Settings, step: Step, ranks: Ranks) -> float:
    """The work of a rank's forward pass through a part of a batch, texts left out."""
    return settings.batch / ranks.world / settings.accumulate * clip_flops(step.model)


def _objective_group(objective: Objective) -> list[Group]:
    weights = list(objective.parameters())
    return [{"name": "objective", "params": weights}] if weights else []


def _clips(
    kept: records.Columns,
    settings: Settings,
    step: Step,
    root: str | None,
    cache: str | None,
    train: bool,
    facts: Mapping[str, Any] | None = None,
) -> Clips:
    return Clips(
        kept,
        settings.classes,
        step.model.recipe,
        frames=settings.frames,
        train=train,
        needs=step.method.needs if train else (),
        root=root,
        seed=settings.seed,
        fixed_frames=settings.fixed_frames,
        cache=cache,
        facts=facts,
    )


def _val(
    path: str, settings: Settings, step: Step, root: str | None, cache: str | None
) -> Clips | None:
    if not os.path.lexists(path):
        return None
    kept = read_records(path)
    return _clips(kept, settings, step, root, cache, train=False) if len(kept) else None
