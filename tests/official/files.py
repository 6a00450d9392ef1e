"""Files of weights as the official codes write them, of values drawn by name."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from . import seeded

Shapes = Mapping[str, list[int]]
TABLE = "token_embedding.weight"
START = 49406


def openai(path: Path, state: Shapes, given: Mapping[str, Any]) -> Path:
    """A state dict as OpenAI's loaders expect it, with its three entries."""
    side = 8 * 4
    entries = {"input_resolution": side, "context_length": 77, "vocab_size": 49408}
    held = {name: torch.tensor(value) for name, value in entries.items()}
    torch.save(_drawn(state, given) | held, path)
    return path


def vificlip(path: Path, case: Mapping[str, Any], state: Shapes) -> Path:
    """As epoch_saving of ViFi-CLIP's utils/tools.py writes DistributedDataParallel."""
    given = case["input"]
    held = {}
    start = seeded.weight(given["seed"], TABLE, state[TABLE])[START]
    for name, shape in case["checkpoint"].items():
        plain = name.replace("image_encoder.", "visual.").replace("text_encoder.", "")
        if name.endswith(("token_prefix", "complete_text_embeddings", "token_suffix")):
            held[name] = torch.zeros(shape)
            held[name][:, 0] = start
        elif plain not in state:
            held[name] = seeded.weight(given["seed"], name, shape).float()
        elif "moved" in given:
            held[name] = seeded.weight(given["moved"], plain, shape, "single").float()
        else:
            held[name] = seeded.weight(given["seed"], plain, shape).float()
    _saved(path, {f"module.{name}": value for name, value in held.items()})
    return path


def _saved(path: Path, held: Mapping[str, torch.Tensor]) -> None:
    """With a configuration of yacs in it, which is no tensor."""
    config = ModuleType("yacs.config")

    class CfgNode(dict):  # type: ignore[type-arg]
        """Pickled as the one of yacs is."""

    CfgNode.__module__, CfgNode.__qualname__ = "yacs.config", "CfgNode"
    config.CfgNode = CfgNode  # type: ignore[attr-defined]
    node = CfgNode(MODEL=CfgNode(ARCH="ViT-B/32"))
    node.__dict__["__immutable__"] = True
    sys.modules["yacs"], sys.modules["yacs.config"] = ModuleType("yacs"), config
    told = {"model": dict(held), "optimizer": {}, "lr_scheduler": {"base_values": [1e-5]},
            "max_accuracy": 70.5, "epoch": 10, "config": node}  # fmt: skip
    torch.save(told, path)
    del sys.modules["yacs"], sys.modules["yacs.config"]


def actionclip(path: Path, case: Mapping[str, Any], state: Shapes) -> Path:
    """As epoch_saving of ActionCLIP's utils/saving.py writes it."""
    given = case["input"]
    fusion = {
        f"module.{name}": seeded.weight(given["seed"], f"{given['head']} {name}", shape).float()
        for name, shape in case["fusion"].items()
    }
    told = {"epoch": 4, "model_state_dict": _drawn(state, given),
            "fusion_model_state_dict": fusion, "optimizer_state_dict": {}}  # fmt: skip
    torch.save(told, path)
    return path


def xclip(folder: Path, given: Mapping[str, Any]) -> Path:
    """As transformers' save_pretrained writes it."""
    from transformers import XCLIPConfig, XCLIPModel

    model = XCLIPModel(XCLIPConfig(**given["config"]))
    seeded.fill(model, given["seed"])
    model.save_pretrained(folder)
    return folder


def _drawn(state: Shapes, given: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    drawn = seeded.weights(given["seed"], state, given["precision"])
    return {name: value.float() for name, value in drawn.items()}
