"""The official ActionCLIP beside ours, in the same weights."""

from __future__ import annotations

import os
import sys
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sbtools.models.actionclip import ActionCLIP
from sbtools.models.arch import Arch
from sbtools.models.heads import HEADS
from sbtools.models.towers import Clip

CLASSES = ["juggling balls", "archery", "tying a tie", "dancing", "cutting (something)", "golf"]
B, T, SIDE, WIDTH = 5, 8, 32, 128
LABELS = [3, 0, 3, 5, 0]
ARCH = Arch(
    "small", dim=WIDTH, size=SIDE, patch=16, width=WIDTH, layers=2, heads=2, text_width=WIDTH,
    text_layers=2, text_heads=2,
)  # fmt: skip
PUBLISHED = [head for head in HEADS if head != "Conv_1D"]
OURS = ("clip", "datasets", "modules", "utils", "wandb", "dotmap", "test", "utils.Augmentation")


@contextmanager
def modules() -> Iterator[SimpleNamespace]:
    """Its modules; what it wants to log to, and its data sets, are empty."""
    folder = Path(os.environ.get("SBTOOLS_OFFICIAL", ""), "ActionCLIP")
    if not (folder / "modules" / "Visual_Prompt.py").is_file():
        pytest.skip("no official ActionCLIP: SBTOOLS_OFFICIAL names the folder it is in")
    kept = {n: m for n, m in sys.modules.items() if n.split(".")[0] in OURS}
    for name in kept:
        del sys.modules[name]
    sys.modules["wandb"] = stub("wandb", log=lambda told: None)
    sys.modules["dotmap"] = stub("dotmap", DotMap=dict)
    sys.modules["datasets"] = stub("datasets", Action_DATASETS=None)
    sys.modules["utils.Augmentation"] = stub("Augmentation", get_augmentation=None)
    sys.path.insert(0, str(folder))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            names = "clip clip.model test modules.Visual_Prompt utils.KLLoss utils.tools"
            names += " utils.Text_Prompt utils.saving utils.solver"
            found = {name.split(".")[-1]: import_module(name) for name in names.split()}
        yield SimpleNamespace(**found)
    finally:
        sys.path.remove(str(folder))
        for name in [n for n in sys.modules if n.split(".")[0] in OURS]:
            del sys.modules[name]
        sys.modules.update(kept)


def stub(name: str, **attributes: Any) -> types.ModuleType:
    made = types.ModuleType(name)
    for key, value in attributes.items():
        setattr(made, key, value)
    return made


def theirs(official: SimpleNamespace, head: str) -> tuple[Any, Any]:
    """The official towers and head, in random weights none of which is 0 or 1."""
    torch.manual_seed(3)
    clip = official.model.CLIP(WIDTH, SIDE, 2, WIDTH, 16, 77, 49408, WIDTH, 2, 2).eval()
    name = head.removesuffix("_official")
    fusion = official.Visual_Prompt.visual_prompt(name, clip.state_dict(), T).eval()
    with torch.no_grad():
        for weight in (*clip.parameters(), *fusion.parameters()):
            weight.add_(0.05 * torch.randn_like(weight))
    return clip, fusion


def ours(clip: Any, fusion: Any, head: str) -> ActionCLIP:
    towers = Clip(ARCH, {"format": "actionclip"})
    towers.load_state_dict(clip.state_dict())
    towers.extra = {f"fusion.{name}": value for name, value in fusion.state_dict().items()}
    return ActionCLIP(towers, CLASSES, frames=T, head=head).eval()


def frames(seed: int = 0) -> Any:
    drawn = torch.Generator().manual_seed(seed)
    return torch.randn(B, T, 3, SIDE, SIDE, generator=drawn)


def prompts(official: SimpleNamespace) -> tuple[Any, int, dict[int, Any]]:
    told: tuple[Any, int, dict[int, Any]] = official.Text_Prompt.text_prompt(
        SimpleNamespace(classes=list(enumerate(CLASSES)))
    )
    return told
