"""`Method.fit`: once in a run, on one process, while the others wait."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from sbtools import distributed
from sbtools.errors import SbtoolsError
from sbtools.loader import Clips
from sbtools.methods.base import Method
from sbtools.methods.fit import FitRun, require_fitted
from sbtools.methods.several import members_of
from sbtools.models.base import VideoModel
from sbtools.models.digests import digest_of
from sbtools.rng import Draws, generator
from sbtools.train.group import Ranks

WAIT = timedelta(days=30)
Fitted = dict[str, dict[str, Tensor]]


class Stopped(Exception):
    """A run was asked to stop before its first step; `word` says by whom."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


def fit(
    method: Method,
    model: VideoModel,
    clips: Clips,
    ranks: Ranks,
    seed: int,
    folder: str,
    ask: Callable[[], str | None],
) -> Fitted:
    """What the members of the method fit, by their names; the same on every rank.

    Raises Stopped where `ask`, polled by `FitRun.check`, says a word, and SbtoolsError for a fit
    that fails, changes the model, or returns what cannot be kept.
    """
    if not any(member.fits for member in members_of(method)):
        return {}

    def check() -> None:
        word = ask()
        if word:
            raise Stopped(word)

    def work() -> Fitted:
        run = FitRun(model, clips, ranks.device, Draws(seed), folder, check)
        with distributed.alone():
            return {m.name: _fitted(m, run) for m in members_of(method) if m.fits}

    found: Fitted = _by_the_first(work, ranks)
    return found


def fitted_of(method: Method) -> Fitted:
    """What a checkpoint keeps of it."""
    return {member.name: member.fitted for member in members_of(method) if member.fitted}


def take_fitted(method: Method, held: Any, device: torch.device | str = "cpu") -> None:
    """Give the members of a method what their fits returned."""
    for member in members_of(method):
        own = held.get(member.name, {})
        member.fitted = {name: value.to(device) for name, value in own.items()}


def _fitted(member: Method, run: FitRun) -> dict[str, Tensor]:
    before, trained = digest_of(run.model), run.model.training
    torch.manual_seed(int(generator(run.draws.seed, member.name, "fit").integers(1 << 62)))
    run.model.eval()
    try:
        found = require_fitted(member.fit(run), member.name)
    finally:
        run.model.train(trained)
    if digest_of(run.model) != before:
        raise SbtoolsError(f"method {member.name}: its fit changed the model, which begins trained")
    return found


def _by_the_first(work: Callable[[], Any], ranks: Ranks) -> Any:
    """What `work` gives on rank 0, or raises there, on all ranks; they wait as long as it takes."""
    if ranks.world == 1:
        return work()
    group: Any = dist.new_group(backend="gloo", timeout=WAIT)
    try:
        told: list[Any] = [None]
        if ranks.rank == 0:
            told = [_outcome(work)]
        dist.broadcast_object_list(told, src=0, group=group)
    finally:
        dist.destroy_process_group(group)
    kind, value = told[0]
    if kind == "stopped":
        raise Stopped(value)
    if kind == "failed":
        raise SbtoolsError(value)
    return value


def _outcome(work: Callable[[], Any]) -> tuple[str, Any]:
    try:
        return "done", work()
    except Stopped as stop:
        return "stopped", stop.word
    except SbtoolsError as fault:
        return "failed", str(fault)
    except Exception as fault:
        return "failed", f"fit: {type(fault).__name__}: {fault}"
