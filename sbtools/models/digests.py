"""What tells weights apart."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


def digest_of(module: nn.Module) -> str:
    """SHA-256 of the names and values of all weights, in hexadecimal digits."""
    whole = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        whole.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        flat = value.detach().cpu().contiguous().reshape(-1)
        whole.update(flat.view(torch.uint8).numpy().tobytes())
    return whole.hexdigest()
