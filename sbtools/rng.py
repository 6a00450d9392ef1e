"""Randomness keyed by (seed, clip id, purpose, epoch): the same on every machine, in any order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def generator(seed: int, id: str, purpose: str, epoch: int = 0) -> np.random.Generator:
    """A Philox generator whose key is the SHA-256 of the four, so no two draws share a stream."""
    import numpy as np

    key = int.from_bytes(_digest(str(seed), id, purpose, str(epoch))[:16], "little")
    return np.random.Generator(np.random.Philox(key=key))


@dataclass(frozen=True)
class Draws:
    """The draws of one step of training."""

    seed: int
    epoch: int = 0
    step: int = 0

    def clip(self, id: str, purpose: str) -> np.random.Generator:
        """What a clip draws for a purpose: the same in every batch, rank and order."""
        return generator(self.seed, id, purpose, self.epoch)

    def batch(self, purpose: str) -> np.random.Generator:
        """What the whole batch draws for a purpose, the same on all ranks."""
        return generator(self.seed, f"step {self.step}", purpose, self.epoch)


def shard_of(id: str, shards: int) -> int:
    """Which of `shards` keeps the clip: SHA-1 of the id, modulo their number.

    A clip ID//VARIANT, composed of the clip ID, goes where that one goes.
    """
    digest = hashlib.sha1(_bytes(id.partition("//")[0]), usedforsecurity=False).digest()
    return int.from_bytes(digest, "big") % shards


def _digest(*fields: str) -> bytes:
    """SHA-256 of the fields, each after its length: ("ab", "c") is not ("a", "bc")."""
    state = hashlib.sha256()
    for field in fields:
        data = _bytes(field)
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
