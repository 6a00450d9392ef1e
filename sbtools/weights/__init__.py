"""The official weights: which there are, where they lie, how they come here."""

from __future__ import annotations

from sbtools.weights.find import find

__all__ = ["find"]
