"""Networks of the libraries, small, with weights moved from where they start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torchvision import models as tv  # type: ignore[import-untyped]

from sbtools import models
from sbtools.models.linear import Linear

ABC = ["a", "b", "c"]
FRAMES, SIDE = 4, 32


def video(frames: int = FRAMES, side: int = SIDE, clips: int = 2) -> Tensor:
    drawn = torch.Generator().manual_seed(5)
    return torch.randn(clips, frames, 3, side, side, generator=drawn)


def moved(network: nn.Module) -> Any:
    """Every weight a little elsewhere, and the statistics of batch norms, too."""
    drawn = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                spread = 0.2 * float(value.std()) if value.ndim > 1 else 0.05
                value.add_(spread * torch.rand(value.shape, generator=drawn).to(value) - spread / 2)
    return network.eval()


def library(name: str, classes: int = 3) -> Any:
    """torchvision's own network."""
    return moved(tv.get_model(name, weights=None, num_classes=classes))


def linear(backbone: str, classes: list[str] | None = None, **options: Any) -> Linear:
    options = {"frames": FRAMES, "size": SIDE, **options}
    made = models.build("linear", classes or ABC, backbone=backbone, **options)
    assert isinstance(made, Linear)
    return made


_SIZES: dict[str, Any] = {
    "image_size": SIDE, "patch_size": 16, "hidden_size": 16, "num_hidden_layers": 2,
    "num_attention_heads": 2, "intermediate_size": 16, "num_frames": FRAMES,
}  # fmt: skip
_VJEPA: dict[str, Any] = {
    "crop_size": SIDE, "patch_size": 16, "frames_per_clip": FRAMES, "hidden_size": 24,
    "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_ratio": 1.0, "num_pooler_layers": 1,
    "pred_hidden_size": 24, "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1,
}  # fmt: skip
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "VideoMAE": ("ForVideoClassification", _SIZES),
    "Timesformer": ("ForVideoClassification", _SIZES),
    "VJEPA2": ("ForVideoClassification", _VJEPA),
}


def huggingface(kind: str, folder: Path, what: str = "", **more: Any) -> Any:
    """A network of transformers with random weights, which is saved in the folder."""
    suffix, sizes = KINDS[kind]
    config = getattr(transformers, f"{kind}Config")(**sizes, **more)
    network = moved(getattr(transformers, f"{kind}{what or suffix}")(config))
    network.save_pretrained(folder)
    return network


def entering(network: nn.Module, head: nn.Module, run: Any) -> tuple[Tensor, Tensor]:
    """What a network's head is given, and what comes out of `run`."""
    seen: list[Tensor] = []
    hook = head.register_forward_pre_hook(lambda layer, given: seen.append(given[0]))
    with torch.no_grad():
        found = run()
    hook.remove()
    return seen[-1], found


def scored(model: Any, seen: Tensor) -> Tensor:
    with torch.no_grad():
        return model.scores(seen)  # type: ignore[no-any-return]
