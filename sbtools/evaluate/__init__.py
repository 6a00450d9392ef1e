"""Judging: metrics of scores, their intervals, and the result that keeps them."""

from __future__ import annotations

from sbtools.evaluate.measure import from_scores

__all__ = ["from_scores"]
