"""Shapes of people and objects: the stage, and a file per segmenter."""

from __future__ import annotations

from sbtools.backends import SEGMENTERS

__all__ = ["AUTO", "SEGMENTERS"]

AUTO = "grabcut"
