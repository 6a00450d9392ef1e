"""Training."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from sbtools.train.trained import Trained


def load(where: str | os.PathLike[str], which: str = "last") -> Trained:
    """The model that a run has trained: `sbtools.train.trained.load`."""
    from sbtools.train import trained

    return trained.load(where, which)
