"""All that these figures ask of sbtools in Python: the one file to change where its signatures do.

Commands stand in commands.py and trainings.py as a user types them, and stay as they are.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

SIDE, FRAMES = 32, 3
CLASSES = ("juggle", "throw a ball", "ride", "wave", "walk the dog")
RATE = 0.02


@dataclass(frozen=True)
class Case:
    """What is trained: names and settings as on the command line, over so many ranks."""

    model: str
    method: str = "none"
    objective: str = "infonce"
    method_settings: Mapping[str, Any] = field(default_factory=dict)
    objective_settings: Mapping[str, Any] = field(default_factory=dict)
    dtype: str = "float64"
    ranks: int = 1
    resumed: bool = False
    accumulate: int = 1
    checkpointed: bool = False

    @property
    def name(self) -> str:
        """Of the figures: "vificlip mask infonce symmetric=False, float64, 2 ranks"."""
        given = {**self.method_settings, **self.objective_settings}
        words = [self.model, self.method, self.objective, *(f"{k}={v}" for k, v in given.items())]
        more = [" ".join(words), self.dtype, f"{self.ranks} ranks"]
        more += ["resumed"] * self.resumed + ["checkpointed"] * self.checkpointed
        more += [f"accumulate={self.accumulate}"] * (self.accumulate > 1)
        return ", ".join(more)


class Training:
    """The library's own step with torch's SGD, on this rank."""

    def __init__(self, case: Case, rank: int = 0) -> None:
        from sbtools import methods, models, objectives
        from sbtools.train.group import Ranks
        from sbtools.train.optimizer_step import OptimizerStep
        from sbtools.train.settings import Settings
        from sbtools.train.step import Step

        model = _model(case)
        method = methods.build(case.method, **case.method_settings)
        objective = objectives.build(case.objective, **case.objective_settings)
        groups = [*model.groups(), *method.build_modules(model, {}, models.build)]
        step = Step(model, method.to(dtype=model.logit_scale.dtype), objective, "float32").train()
        groups = [g for g in groups if g["params"]]
        rates = [
            {"name": g["name"], "params": g["params"], "lr": RATE * g.get("lr_scale", 1.0)}
            for g in groups
        ]
        optimizer = torch.optim.SGD(rates, lr=RATE)
        settings = Settings(model=case.model, accumulate=case.accumulate, precision="float32")
        ranks = Ranks(rank, case.ranks, torch.device("cpu"))
        self.model, self.updates = model, OptimizerStep(step, optimizer, settings, ranks)

    def step(self, batch: dict[str, Any], number: int, sizes: Sequence[int]) -> dict[str, float]:
        """One step on this rank's clips; its losses by name, and "norm", the gradient's."""
        from sbtools.rng import Draws

        return self.updates(batch, Draws(3, number // 5, number), sizes)

    def state(self) -> dict[str, Tensor]:
        """The weights of the model by name."""
        return self.model.state_dict()

    def save(self) -> bytes:
        """All that the next step needs."""
        made = io.BytesIO()
        step, optimizer = self.updates.step, self.updates.optimizer
        torch.save({"step": step.state_dict(), "optimizer": optimizer.state_dict()}, made)
        return made.getvalue()

    def load(self, saved: bytes) -> None:
        """Go on from there."""
        told = torch.load(io.BytesIO(saved), weights_only=True)
        self.updates.step.load_state_dict(told["step"])
        self.updates.optimizer.load_state_dict(told["optimizer"])

    @contextmanager
    def texts_read(self) -> Iterator[list[int]]:
        """How many texts each call of the text tower was given, as they come."""
        counts: list[int] = []
        tower = self.model.clip
        plain = tower.encode_text

        def counted(texts: Tensor, *more: Any, **named: Any) -> Tensor:
            counts.append(len(texts))
            return plain(texts, *more, **named)

        tower.encode_text = counted
        try:
            yield counts
        finally:
            del tower.encode_text


def batch(
    video: Tensor, label: Tensor, ids: list[str], masks: Mapping[str, Tensor]
) -> dict[str, Any]:
    """A batch as the step takes it, of float [B, T, 3, H, W], int64 [B] and bool [B, T, H, W]."""
    return {"video": video, "label": label, "id": ids, **masks}


@contextmanager
def group(rank: int, world: int) -> Iterator[None]:
    """The process group of `world` ranks, of the environment that torch's launcher sets."""
    from sbtools.train.group import Ranks

    with Ranks(rank, world, torch.device("cpu")):
        yield


def weights_of(run: str) -> dict[str, Tensor]:
    """The weights of the model in RUN/last.pt, by name."""
    told: dict[str, Tensor] = torch.load(f"{run}/last.pt", weights_only=True)["model"]
    return told


def _model(case: Case) -> Any:
    from sbtools.models import actionclip, clip, vificlip
    from sbtools.models.arch import Arch

    built = Arch(
        "floor", dim=64, size=SIDE, patch=16, width=64, layers=2, heads=1, text_width=64,
        text_layers=2, text_heads=1,
    )  # fmt: skip
    towers = clip.random(built, 0)
    with torch.no_grad():  # else all texts are nearly one
        towers.token_embedding.weight.mul_(20)
    kind = {"vificlip": vificlip.ViFiCLIP, "actionclip": actionclip.ActionCLIP}[case.model]
    model = kind(towers, CLASSES, frames=FRAMES).to(getattr(torch, case.dtype))
    model.checkpoint_activations(case.checkpointed)
    return model
