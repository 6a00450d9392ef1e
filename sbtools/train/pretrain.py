"""Pretraining of a small CLIP on frames and their captions."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import cos, log, pi
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sbtools import rng
from sbtools.errors import UsageError
from sbtools.job import never
from sbtools.models import checkpoints, clip
from sbtools.models.arch import named
from sbtools.models.base import unit
from sbtools.models.flops import flops_of
from sbtools.threads import settle
from sbtools.train.captioned import Captioned, divided, read, varied
from sbtools.train.contrast import Reader, contrast, retrieval

LogLine = dict[str, Any]
WARMUP = 0.05
SPREAD = 100
"""Steps in which texts are told apart before the first frame is seen."""

WHOLE = 4
"""Phrases are read in every step, whole captions in one of so many."""

DECAY = 0.05
WARMEST = log(100)
"""The largest logarithm of the scale, as CLIP bounds it."""


def would(
    records: Sequence[Mapping[str, Any]],
    out: str,
    *,
    arch: str = "tiny",
    epochs: int = 10,
    seed: int = 0,
    **others: Any,
) -> str:
    """What `pretrain` of the same arguments would do, in words; UsageError as it raises."""
    _require_folder(out)
    named(arch)
    own, held = divided(records, seed)
    return (
        f"a CLIP {arch} would be trained in {epochs} epochs on the captions of {len(own)} clips, "
        f"{len(held)} more held out, and written to {out}"
    )


def _require_folder(out: str) -> None:
    folder = os.path.dirname(os.path.abspath(out))
    if not os.path.isdir(folder):
        raise UsageError(f"{out} cannot be written: there is no folder {folder}")


def pretrain(
    records: Sequence[Mapping[str, Any]],
    root: str | None,
    out: str,
    *,
    arch: str = "tiny",
    epochs: int = 10,
    batch: int = 48,
    lr: float = 1e-3,
    frames: int = 6,
    seed: int = 0,
    device: str = "cpu",
    stop: Callable[[], bool] = never,
    epoch_line: Callable[[LogLine], None] | None = None,
    step_line: Callable[[LogLine], None] | None = None,
    threads: int | None = None,
    cores: int = 1,
) -> LogLine | None:
    """Train a CLIP on single frames and their captions, and write it to `out`.

    records: with `captions`, one text a frame, and `video` or `arrays` against `root`; a tenth of
    the sources is held out. `frames` are drawn of each clip. `epoch_line` is called with a
    JSON-ready dict after every epoch, `step_line` after every step with {"epoch", "step", "steps",
    "loss", "clips"}, clips being frames. threads and cores: as `sbtools.threads.settle` takes
    them. The result, JSON-ready, says what was written and how often held-out frames find their
    captions, and phrases of them; None when `stop` turned true: nothing is written then. Raises
    UsageError where there are no captions, OutputError where `out` cannot be written.
    """
    started = time.monotonic()
    _require_folder(out)
    model = clip.random(named(arch)[0], seed).to(device)
    model.token_embedding.requires_grad_(False)
    settle(threads, cores, lambda: batch * _image_flops(model), device == "cpu")
    own, others = divided(records, seed)
    trained, held = (read(part, root, model.size, frames, seed) for part in (own, others))
    plan = Plan(epochs, batch, lr, seed)
    last: LogLine = {}
    for last in _epochs(model, trained, held, plan, stop, step_line):
        if epoch_line is not None:
            epoch_line(last)
    if stop() or last.get("epoch") != epochs:
        return None
    made = {
        "arch": arch,
        "epochs": epochs,
        "batch": batch,
        "lr": lr,
        "frames": frames,
        "seed": seed,
    }
    clip.save(model, out)
    told = {
        "out": out,
        "sha256": checkpoints.read(out).sha256,
        **made,
        "clips": len(own),
        "held_out": len(others),
        "failed": [*trained.failed, *held.failed],
        **{name: last[name] for name in ("retrieval", "phrases")},
        "seconds": round(time.monotonic() - started, 1),
    }
    return told


def _image_flops(model: clip.Clip) -> int:
    image = model.logit_scale.detach().new_zeros(1, 3, model.size, model.size)
    with torch.no_grad():
        return flops_of(lambda: model.encode_image(image))


@dataclass(frozen=True)
class Plan:
    """How long, in what steps; lr is the highest rate."""

    epochs: int
    batch: int
    lr: float
    seed: int

    def rate(self, step: int, steps: int) -> float:
        """lr of a step: a rise, then a cosine to nothing."""
        rise = max(1, round(WARMUP * steps))
        if step < rise:
            return self.lr * (step + 1) / rise
        return self.lr * (1 + cos(pi * (step - rise) / max(steps - rise, 1))) / 2


def _epochs(
    model: clip.Clip, trained: Captioned, held: Captioned, plan: Plan, stop: Callable[[], bool],
    step_line: Callable[[LogLine], None] | None = None,
) -> Iterator[LogLine]:  # fmt: skip
    optimiser = torch.optim.AdamW(_groups(model), betas=(0.9, 0.98), eps=1e-6)
    reader = Reader(model)
    _spread(reader, optimiser, trained, plan)
    each = -(-len(trained) // plan.batch)
    for epoch in range(plan.epochs):
        started, losses = time.monotonic(), []
        order = rng.generator(plan.seed, "captions", "order", epoch).permutation(len(trained))
        for number, rows in enumerate(np.array_split(order, each)):
            if stop():
                return
            draws = rng.Draws(plan.seed, epoch, number)
            rate = plan.rate(epoch * each + number, plan.epochs * each)
            losses.append(_step(reader, optimiser, trained, rows, draws, rate))
            if step_line is not None:
                step = {"epoch": epoch + 1, "step": epoch * each + number + 1}
                size = {"steps": plan.epochs * each, "clips": len(rows)}
                step_line({**step, **size, "loss": losses[-1]})
        seconds = time.monotonic() - started
        yield {
            "epoch": epoch + 1,
            "loss": sum(losses) / len(losses),
            **retrieval(model, held),
            "frames_per_second": round(len(trained) / seconds, 1),
        }


def _groups(model: clip.Clip) -> list[dict[str, Any]]:
    """Matrices decay; vectors do not. The table of tokens stays as it was drawn."""
    learnt = [p for p in model.parameters() if p.requires_grad]
    decay, rest = [p for p in learnt if p.ndim > 1], [p for p in learnt if p.ndim <= 1]
    return [{"params": decay, "weight_decay": DECAY}, {"params": rest, "weight_decay": 0.0}]


def _spread(
    reader: Reader, optimiser: torch.optim.Optimizer, trained: Captioned, plan: Plan
) -> None:
    """Let the text tower tell phrases apart: images then learn against texts that differ.

    Drawn at random, it takes all texts for nearly the same (a mean cosine of 0.7).
    """
    known = sorted({phrase for text in trained.texts for phrase in text})
    for step in range(SPREAD):
        draw = rng.generator(plan.seed, "captions", "spread", step)
        some = draw.permutation(len(known))[: plan.batch].tolist()
        texts = reader([known[place] for place in some])
        which = torch.arange(len(some), device=texts.device)
        _update(optimiser, plan.lr, F.cross_entropy(texts @ texts.T / 0.1, which))


def _update(optimiser: torch.optim.Optimizer, rate: float, loss: Tensor) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def _step(
    reader: Reader,
    optimiser: torch.optim.Optimizer,
    trained: Captioned,
    rows: np.ndarray,
    draws: rng.Draws,
    rate: float,
) -> float:
    """One step on the mean loss of each phrase alone and, at times, of whole captions."""
    model = reader.model
    frames = trained.frames[rows].to(model.logit_scale.device)
    images = varied(frames, trained.sided[rows], draws.batch("vary"))
    features = unit(model.encode_image(images))
    loss = _loss(reader, features, trained, rows.tolist(), draws.step % WHOLE == 0)
    _update(optimiser, rate, loss)
    with torch.no_grad():
        model.logit_scale.clamp_(max=WARMEST)
    return float(loss.detach())


def _loss(
    reader: Reader, images: Tensor, trained: Captioned, rows: Sequence[int], whole: bool
) -> Tensor:
    wanted = (*((None,) if whole else ()), *range(trained.phrases))
    parts = [trained.shown(part, rows) for part in wanted]
    known = sorted({text for _, texts in parts for text in texts})
    features, losses = reader(known), []
    for places, texts in parts:
        if places:
            read, own = np.unique([known.index(text) for text in texts], return_inverse=True)
            which = torch.as_tensor(own, device=images.device)
            scale = reader.model.logit_scale.exp()
            losses.append(contrast(images[places], features[read], which, scale))
    return torch.stack(losses).mean()
