"""Scorers that run a network on images."""

from __future__ import annotations

from functools import cached_property

from sbtools.scenes.base import Scorer
from sbtools.scenes.forward import Forward
from sbtools.scenes.names import listed


class NetworkScorer(Scorer):
    """A scorer with names, of a file or Places365's, and a device, on which it computes in batches.

    names: a file of the scenes; device, batch: of `Forward`.
    """

    def __init__(self, names: str, device: str, batch: str) -> None:
        self.file, self._computing = names, (device, batch)

    @cached_property
    def names(self) -> list[str]:
        return listed(self.file)

    @cached_property
    def forward(self) -> Forward:
        """Where it computes."""
        return Forward(*self._computing)

    @property
    def batch(self) -> int:
        return self.forward.batch
