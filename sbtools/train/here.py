"""A rank in this very process, under a torchrun that somebody else started."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from sbtools.allocator import keep_memory
from sbtools.registry import load
from sbtools.train.launch import Ears
from sbtools.train.places import Place
from sbtools.train.prepare import Request


def run_here(request: Request, place: Place, ears: Ears) -> str:
    """`run_rank` as the rank that torchrun has made of this process."""
    from sbtools.train.loop import RankOptions

    keep_memory()
    options = RankOptions(**request.options)
    if place.leads:
        options = replace(options, epoch_line=ears.epoch, step_line=ears.step)
    run: Callable[..., str] = load(request.run)
    device = f"cuda:{os.environ['LOCAL_RANK']}" if request.device == "cuda" else request.device
    return run(request.folder, place.index, place.count, device, ears.ask, options)
