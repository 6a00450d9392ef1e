"""The weights of Places365's networks as they were released: torch 0.2, Python 2.7."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sbtools.errors import DamagedError, UsageError

State = dict[str, Tensor]

SOURCE = "http://places2.csail.mit.edu/models_places365/resnet18_places365.pth.tar"
"""Of run_placesCNN_basic.py in github.com/CSAILVision/places365; resnet50_... stands beside it."""

RESNETS = {
    "resnet18": (False, (2, 2, 2, 2)),
    "resnet34": (False, (3, 4, 6, 3)),
    "resnet50": (True, (3, 4, 6, 3)),
    "resnet101": (True, (3, 4, 23, 3)),
    "resnet152": (True, (3, 8, 36, 3)),
}
"""torchvision's ResNets: whether a block has three convolutions, blocks of the four layers."""


def read(path: str) -> State:
    """The tensors of a file under torchvision's names: safetensors, or what torch.save wrote,
    perhaps under `state_dict` and by way of DataParallel.

    Nothing in it is run; texts of Python 2 are read as latin1, which takes every byte. Raises
    UsageError where there is no such file, DamagedError where it holds more than weights.
    """
    if not os.path.isfile(path):
        raise UsageError(f"there are no weights at {os.path.abspath(path)}: {SOURCE} has them")
    try:
        found = _loaded(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception as error:
        reason = " ".join(str(error).split())
        raise DamagedError(
            f"{path} is cut, or holds more than weights: if you trust it, save its state_dict as "
            f"safetensors and give that ({reason[:120]})"
        ) from None
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping) or not all(isinstance(v, Tensor) for v in found.values()):
        raise UsageError(f"{path} holds no table of tensors: give {os.path.basename(SOURCE)}")
    return {str(name).removeprefix("module."): value for name, value in found.items()}


def _loaded(path: str) -> Any:
    if path.endswith(".safetensors"):
        from safetensors.torch import load_file

        return load_file(path)
    with warnings.catch_warnings():
        # torch warns that `encoding` is for weights_only=False, and reads texts by it all the same
        warnings.filterwarnings("ignore", "pickle_load_args only works", UserWarning)
        return torch.load(path, map_location="cpu", weights_only=True, encoding="latin1")


def arch_of(state: Mapping[str, Tensor], path: str) -> str:
    """Which of `RESNETS` these weights are of; UsageError for none."""
    blocks = [len({name.split(".")[1] for name in state if name.startswith(f"layer{layer}.")})
              for layer in (1, 2, 3, 4)]  # fmt: skip
    sizes = ("layer1.0.conv3.weight" in state, tuple(blocks))
    for name, known in RESNETS.items():
        if known == sizes and "fc.weight" in state:
            return name
    some = ", ".join(list(state)[:3])
    raise UsageError(f"{path} holds no ResNet of torchvision (it begins with {some}): give "
                     f"{os.path.basename(SOURCE)}, or that of resnet50")  # fmt: skip


def resnet(arch: str, state: Mapping[str, Tensor], path: str) -> nn.Module:
    """torchvision's ResNet with these weights, in float32, as in tests; UsageError where they are
    of another shape."""
    from torchvision import models  # type: ignore[import-untyped]

    with torch.device("meta"):
        network: nn.Module = getattr(models, arch)(
            weights=None, num_classes=len(state["fc.weight"])
        )
    whole = {name: value.float() for name, value in state.items()}
    for name, value in network.state_dict().items():
        if name.endswith("num_batches_tracked"):  # torch 0.2 had none, and nobody reads them here
            whole.setdefault(name, torch.zeros((), dtype=value.dtype))
    try:
        network.load_state_dict(whole, assign=True)
    except RuntimeError as error:
        reason = re.sub(r"^.*?: ", "", " ".join(str(error).split()), count=1)
        raise UsageError(f"{path} does not fit a {arch}: {reason[:200]}") from None
    return network.eval()
