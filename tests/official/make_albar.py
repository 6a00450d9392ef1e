"""Figures of ALBAR: a step of its training by its own loop, and its learning rates."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from . import figures, seeded
from .checkouts import cut

SEED = 23
CLASSES = ["a", "b", "c", "d", "e"]
LABELS = [3, 0, 3]
FRAMES = 4
SIDES = {"conv": 12, "swin": 16}
FRAME_CHOICE = {"conv": 2, "swin": 16}
"""Of 4 frames: the middle one, and one that is not there."""


def make(fetched: Path) -> dict[str, Any]:
    """The file's content."""
    folder = fetched / "ALBAR"
    spec = importlib.util.spec_from_file_location("params_debias", folder / "params_debias.py")
    assert spec is not None and spec.loader is not None
    params = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(params)
    return {
        "settings": {name: getattr(params, name) for name in SETTINGS},
        "cases": {name: _case(folder, params, name) for name in SIDES},
        "rates": _rates(folder, params),
    }


SETTINGS = (
    "num_frames", "fix_skip", "frame_choice", "batch_size", "learning_rate", "num_epochs",
    "temporal_weight", "spatial_weight", "entropy_weight", "gradpen_weight", "weight_decay",
    "opt_type",
)  # fmt: skip


def network(name: str) -> nn.Module:
    """Videos [B, 3, T, H, W] to [B, K]; swin is of the kind that the official training has."""
    if name == "swin":
        from torchvision.models.video import swin_transformer  # type: ignore[import-untyped]

        made: nn.Module = swin_transformer.SwinTransformer3d(
            [2, 4, 4], 16, [1, 1], [2, 2], [2, 2, 2], 2.0, stochastic_depth_prob=0.0,
            num_classes=len(CLASSES),
        )  # fmt: skip
        return made
    return nn.Sequential(
        nn.Conv3d(3, 6, 3, padding=1), nn.GELU(), nn.AvgPool3d((1, 3, 3)),
        nn.Conv3d(6, 8, (2, 3, 3)), nn.Tanh(), nn.AdaptiveAvgPool3d((2, 1, 1)), nn.Flatten(),
        nn.Linear(16, len(CLASSES)),
    )  # fmt: skip


def _case(folder: Path, params: Any, name: str) -> dict[str, Any]:
    model = network(name).double()
    seeded.fill(model, SEED)
    shape = [len(LABELS), FRAMES, 3, SIDES[name], SIDES[name]]
    clips = seeded.video(SEED, shape)
    choice = FRAME_CHOICE[name]
    pairs = [_static(folder, clip, choice) for clip in clips]
    batch = [torch.stack([pair[k] for pair in pairs]) for k in (0, 1)] + [torch.tensor(LABELS)]
    given = {"seed": SEED, "network": name, "classes": CLASSES, "labels": LABELS, "video": shape,
             "frame_choice": choice}  # fmt: skip
    return {"input": given, "expected": _step(folder, params, model, batch)}


def _static(folder: Path, clip: torch.Tensor, choice: int) -> tuple[Any, ...]:
    """A clip, and what the official data set makes of it besides."""
    kind = cut(folder / "multi_dataset_dl.py", "VideoDataset", Dataset=object, np=np, torch=torch)
    data = object.__new__(kind)
    data.dataset, data.spatial_training = "hmdb51", True
    data.params = SimpleNamespace(frame_choice=choice, num_frames=FRAMES)
    data.data, data.process_standard_data = [""], lambda path: (clip, None, None)
    found: tuple[Any, ...] = data.process_data(0)
    return found


def _step(folder: Path, params: Any, model: nn.Module, batch: list[torch.Tensor]) -> dict[str, Any]:
    """What the official loop makes of a batch: its terms, their sum, gradients of all weights."""
    terms: dict[str, list[torch.Tensor]] = {}
    found: dict[str, Any] = {}

    def noted(name: str, loss: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def call(*given: torch.Tensor) -> torch.Tensor:
            told = loss(*given)
            terms.setdefault(name, []).append(told.detach())
            return told

        return call

    def backward(loss: torch.Tensor) -> None:
        weights = dict(model.named_parameters())
        grads = torch.autograd.grad(loss, list(weights.values()))
        found["gradients"] = figures.group(dict(zip(weights, grads, strict=True)))
        found["loss"] = figures.rounded(loss)

    trainer = _trainer(folder, params, {
        "entropy_loss": noted("entropy", cut(folder / "entropy_loss.py", "entropy_loss",
                                             torch=torch, F=nn.functional)),
        "compute_gradient_penalty": noted("gradient", cut(
            folder / "entropy_loss.py", "compute_gradient_penalty", torch=torch,
            grad=torch.autograd.grad)),
    })  # fmt: skip
    trainer.model, trainer.train_data = model, [batch]
    trainer.accelerator.backward = backward
    trainer.loss_fn = noted("cross", nn.CrossEntropyLoss())
    with contextlib.redirect_stdout(io.StringIO()):
        trainer._train_epoch(1)
    names = {"motion": terms["cross"][0], "adversarial": terms["cross"][1],
             "entropy": terms["entropy"][0], "gradient": terms["gradient"][0]}  # fmt: skip
    return {"terms": {name: figures.rounded(value) for name, value in names.items()}, **found}


def _rates(folder: Path, params: Any) -> list[float]:
    """The learning rate of each epoch."""
    trainer = _trainer(folder, params, {})
    found: list[float] = []
    trainer._train_epoch = lambda epoch: found.append(trainer.learning_rate) or math.inf
    told = {name: getattr(params, name) for name in dir(params) if not name.startswith("_")}
    trainer.epochs_run, trainer.save_every, trainer.val_freq = 1, 10**9, 10**9
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.train(params.num_epochs, SimpleNamespace(**told))
    return [figures.rounded(rate) for rate in found]


def _trainer(folder: Path, params: Any, known: dict[str, Any]) -> Any:
    """The official one, of which nothing but the loop is there."""
    import time

    names = {"DataLoader": None, "SummaryWriter": None, "Accelerator": None}
    kind = cut(folder / "train.py", "Trainer", torch=torch, np=np, time=time,
               tqdm=lambda rows, **_: rows, **names, **known)  # fmt: skip
    trainer = object.__new__(kind)
    trainer.params, trainer.learning_rate = params, params.learning_rate
    trainer.optimizer = SimpleNamespace(zero_grad=lambda: None, step=lambda: None)
    trainer.accelerator = SimpleNamespace(
        is_main_process=False, process_index=0, local_process_index="cpu",
        reduce=lambda value, how: value, print=lambda *words: None,
    )  # fmt: skip
    return trainer
