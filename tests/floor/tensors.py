"""What a tensor is told as: a digest for equality, and numbers for what is nearly equal."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

VALUES = 4
KEYS = "[keys]"
"""Behind the name of an attention's bias, the part that is added to the keys: its gradient is 0
but for rounding, so that AdamW moves it at random."""


def described(weights: Mapping[str, Tensor]) -> dict[str, dict[str, Any]]:
    """Of each tensor sha256, the L2 norm, a sum with fixed signs, and a few values."""
    told = {}
    for name, value in weights.items():
        array = value.detach().cpu().contiguous().numpy()
        if name.endswith("in_proj_bias"):
            third = len(array) // 3
            told[name + KEYS] = _one(array[third : 2 * third])
            array = np.delete(array, np.s_[third : 2 * third])
        told[name] = _one(array)
    return told


def _one(array: np.ndarray) -> dict[str, Any]:
    flat = array.reshape(-1).astype(np.float64)
    places = np.linspace(0, max(flat.size - 1, 0), VALUES).astype(int) if flat.size else []
    return {
        "sha256": hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest(),
        "norm": float(np.linalg.norm(flat)),
        "sum": float(_signs(flat.size) @ flat),
        "values": [float(flat[place]) for place in places],
    }


def _signs(count: int) -> np.ndarray:
    """-1 and 1 without a short period, so that two values that change places are seen."""
    golden = np.arange(count, dtype=np.float64) * 0.6180339887498949
    return np.where(golden % 1 < 0.5, -1.0, 1.0)
