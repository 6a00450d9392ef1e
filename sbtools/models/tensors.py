"""Files of tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sbtools.errors import UsageError


@dataclass(frozen=True)
class Run:
    """What a checkpoint of `sbtools train` holds of its model: `VideoModel.spec()` and weights."""

    path: str
    spec: dict[str, Any]
    state: dict[str, Tensor]


def read(path: str) -> dict[str, Tensor]:
    """The tensors of a file: safetensors, or a state dict of torch, perhaps under "state_dict".

    Raises UsageError when it is neither; nothing in it is executed.
    """
    found = _loaded(path)
    for key in ("state_dict", "model"):
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not all(isinstance(v, Tensor) for v in found.values()):
        raise UsageError(f"--weights {path} holds no state dict: save model.state_dict()")
    return {str(name).removeprefix("module."): value for name, value in found.items()}


def _loaded(path: str) -> Any:
    try:
        if path.endswith(".safetensors"):
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as fault:
        raise UsageError(f"--weights {path} cannot be read: {fault.strerror or fault}") from None
    except Exception as fault:
        reason = " ".join(str(fault).split())[:120]
        raise UsageError(f"--weights {path} is no file of tensors: {reason}") from None
