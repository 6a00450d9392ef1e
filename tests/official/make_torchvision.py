"""Figures of torchvision's video networks: features, logits, and for some a loss's gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from . import figures, seeded

SEED = 17
CLASSES = 5
LABELS = [3, 1]
SHAPES = {
    "swin3d_t": [2, 4, 3, 32, 32],
    "r3d_18": [2, 4, 3, 32, 32],
    "mc3_18": [2, 4, 3, 32, 32],
    "r2plus1d_18": [2, 4, 3, 32, 32],
    "s3d": [1, 16, 3, 224, 224],
    "mvit_v1_b": [1, 16, 3, 224, 224],
    "mvit_v2_s": [1, 16, 3, 224, 224],
}
"""Videos [B, T, 3, H, W]; the last three take no smaller ones."""

TRAINED = {"swin3d_t": "eval", "r3d_18": "train"}
"""Whose gradients are kept, in which mode: in training swin3d drops blocks at random."""


def make(fetched: Path) -> dict[str, Any]:
    """The file's content."""
    return {"cases": {name: _case(name, shape) for name, shape in SHAPES.items()}}


def _case(name: str, shape: list[int]) -> dict[str, Any]:
    from torchvision.models import get_model

    model = get_model(name, weights=None, num_classes=CLASSES).double().eval()
    seeded.fill(model, SEED)
    caught: list[torch.Tensor] = []
    last = [part for part in model.modules() if isinstance(part, torch.nn.Linear | torch.nn.Conv3d)]
    last[-1].register_forward_pre_hook(lambda part, args: caught.append(args[0]))
    video = seeded.video(SEED, shape).transpose(1, 2)
    with torch.no_grad():
        logits = model(video)
    features = caught[0].flatten(2).mean(2) if caught[0].ndim > 2 else caught[0]
    given: dict[str, Any] = {"seed": SEED, "classes": CLASSES, "video": shape}
    told = figures.group({"features": features, "logits": logits})
    if name in TRAINED:
        given |= {"labels": LABELS, "mode": TRAINED[name]}
        told |= _trained(model.train(TRAINED[name] == "train"), video)
    return {"input": given, "expected": told}


def _trained(model: Any, video: torch.Tensor) -> dict[str, Any]:
    """The loss of a step, its gradients, and what batch norm has learned of the clips."""
    loss = torch.nn.functional.cross_entropy(model(video), torch.tensor(LABELS))
    weights = dict(model.named_parameters())
    grads = torch.autograd.grad(loss, list(weights.values()))
    told: dict[str, Any] = {"loss": figures.rounded(loss)}
    told["gradients"] = figures.group(dict(zip(weights, grads, strict=True)))
    means = {n: b for n, b in model.named_buffers() if n.endswith(("running_mean", "running_var"))}
    return told | ({"statistics": figures.group(means)} if means else {})
