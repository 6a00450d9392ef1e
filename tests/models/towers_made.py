"""A small CLIP in OpenAI's format, and in others."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from torch import Tensor

WIDTH, TEXT, DIM, LAYERS, SIZE, PATCH = 128, 128, 48, 3, 32, 8
CLASSES = ["juggling balls", "skipping rope", "playing the bass_guitar", "archery"]
TEXTS = ["archery", "a photo of a dog.", "someone who is catching or throwing a frisbee", "a rope"]


@cache
def library(quick: bool = True) -> open_clip.CLIP:
    """open_clip's own model of that size in float64, its weights drawn by numpy."""
    vision = open_clip.CLIPVisionCfg(LAYERS, WIDTH, patch_size=PATCH, image_size=SIZE)
    text = open_clip.CLIPTextCfg(width=TEXT, heads=TEXT // 64, layers=LAYERS)
    model = open_clip.CLIP(DIM, vision, text, quick_gelu=quick)
    drawn = np.random.default_rng(7)
    for name, weight in model.named_parameters():
        scale = 0.3 if "embedding" in name else 0.1
        offset = 1.0 if "ln_" in name and name.endswith("weight") else 0.0
        offset = 2.5 if name == "logit_scale" else offset
        values = drawn.normal(offset, scale, tuple(weight.shape)).astype(np.float16)
        weight.data = torch.from_numpy(values.astype(np.float64))
    return model.double().eval()


def state(quick: bool = True) -> dict[str, Tensor]:
    """Its weights in float32, every one a number of half precision."""
    return {key: value.float().clone() for key, value in library(quick).state_dict().items()}


def precise() -> dict[str, Tensor]:
    """Weights in float32 that are no numbers of half precision."""
    drawn = np.random.default_rng(19)
    return {
        key: value + torch.from_numpy(drawn.uniform(0, 1e-3, (1, *value.shape)))[0].float()
        for key, value in state().items()
    }


def openai(path: Path, weights: dict[str, Tensor] | None = None) -> Path:
    """A state dict as OpenAI's loaders expect it, with its three entries."""
    entries = {"input_resolution": SIZE, "context_length": 77, "vocab_size": 49408}
    numbers = {key: torch.tensor(value) for key, value in entries.items()}
    torch.save({**(weights or state()), **numbers}, path)
    return path


def vifi(state: dict[str, Tensor]) -> dict[str, Any]:
    """As trainers/vificlip.py names them."""
    named = {}
    for key, value in state.items():
        if key.startswith("visual."):
            named[f"module.image_encoder.{key.removeprefix('visual.')}"] = value
        elif key == "logit_scale":
            named["module.logit_scale"] = value
        elif key != "token_embedding.weight":
            named[f"module.text_encoder.{key}"] = value
    start = state["token_embedding.weight"][49406].half().float()
    read = torch.zeros(4, 77, TEXT)
    read[:, 0] = start
    named["module.prompt_learner.complete_text_embeddings"] = read
    return {"model": named, "optimizer": {}, "max_accuracy": 1.0, "epoch": 10}


def scripted(path: Path, quick: bool) -> Path:
    """A TorchScript archive, as OpenAI distributes CLIP."""
    model = library(quick).float()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images, texts = torch.zeros(1, 3, 32, 32), torch.zeros(1, 77, dtype=torch.int64)
        torch.jit.trace(model, (images, texts), strict=False, check_trace=False).save(str(path))
    library(quick).double()
    return path


def images(count: int, *leading: int, size: int = SIZE, seed: int = 3) -> Tensor:
    drawn = np.random.default_rng(seed).normal(size=(*leading, count, 3, size, size))
    return torch.from_numpy(drawn)
