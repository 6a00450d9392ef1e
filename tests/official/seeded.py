"""Weights, clips and choices by a seed and a name: the same wherever they are drawn.

They come from the raw words of numpy's PCG64, which NEP 19 promises never to change; its
distributions may change.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch

Shape = Iterable[int]
WORD = 2.0**-53
LARGE = 1 << 22
"""Elements of a table of embeddings, which test after test begins with."""


def words(name: str, count: int) -> Any:
    """Random numbers, uint64 [count]."""
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")
    return np.random.PCG64(key).random_raw(count)


def uniform(name: str, shape: Shape, low: float = -1.0, high: float = 1.0) -> Any:
    """Float64 array in [low, high)."""
    shape = tuple(shape)
    drawn = words(name, math.prod(shape)) >> np.uint64(11)
    return (low + (high - low) * WORD * drawn).reshape(shape)


def weight(seed: int, name: str, shape: Shape, precision: str = "half") -> torch.Tensor:
    """A parameter or a statistic of batch norm, float64, of a size that keeps signals alive.

    precision: half, numbers that float16 can hold, or single, numbers that it cannot.
    """
    shape = tuple(shape)
    drawn = (_kept if math.prod(shape) > LARGE else _weight)(seed, name, shape, precision)
    return drawn.clone()


def _weight(seed: int, name: str, shape: tuple[int, ...], precision: str) -> torch.Tensor:
    drawn = uniform(f"{seed} {name}", shape, *_bounds(name, shape))
    kind = np.float16 if precision == "half" else np.float32
    return torch.from_numpy(np.asarray(drawn, kind).astype(np.float64))


_kept = lru_cache(maxsize=1)(_weight)


def weights(
    seed: int, shapes: Mapping[str, Shape], precision: str = "half"
) -> dict[str, torch.Tensor]:
    """All weights of these names and shapes; each depends on its own name alone."""
    return {name: weight(seed, name, shape, precision) for name, shape in shapes.items()}


def fill(module: torch.nn.Module, seed: int, prefix: str = "") -> None:
    """Give every parameter and floating buffer in the state of a module its drawn values."""
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                value.copy_(weight(seed, prefix + name, value.shape))


def video(seed: int, shape: Shape) -> torch.Tensor:
    """Normalised frames, float64, of numbers that float32 can hold."""
    drawn = uniform(f"{seed} video", shape, -2.0, 2.0)
    return torch.from_numpy(drawn.astype(np.float32).astype(np.float64))


class Drawn:
    """What samplers draw, one word after another: has the methods of a numpy generator, of
    numpy.random and of random that they call."""

    def __init__(self, seed: int) -> None:
        self.seed, self.drawn = seed, 0

    def random(self) -> float:
        """In [0, 1)."""
        return float(int(self._word()) >> 11) * WORD

    def integers(self, high: int, size: int | None = None) -> Any:
        """In [0, high)."""
        if size is None:
            return int(self._word()) % int(high)
        return np.array([int(self._word()) % int(high) for _ in range(size)], np.int64)

    randint = integers

    def choice(self, items: Any) -> Any:
        return items[self.integers(len(items))]

    def _word(self) -> Any:
        self.drawn += 1
        return words(f"draw {self.seed} {self.drawn}", 1)[0]


def order(drawn: Drawn, count: int) -> list[int]:
    """A random order of 0 to count - 1."""
    keys = [drawn.random() for _ in range(count)]
    return sorted(range(count), key=keys.__getitem__)


def _bounds(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    last = name.rsplit(".", 1)[-1]
    if last == "logit_scale":
        return 2.0, 3.0
    if last == "running_var" or (last == "weight" and len(shape) == 1):
        return 0.5, 1.5
    if "bias" in last or last == "running_mean":
        return -0.2, 0.2
    if any(part in name for part in ("embedding", "pos_embed", "cls_token", "VPT", "ctx")):
        return -0.5, 0.5
    reach = math.sqrt(3 / max(1, math.prod(shape[1:])))
    return -reach, reach
