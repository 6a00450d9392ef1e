"""Boxes of people and objects: the stage, and a file per detector."""

from __future__ import annotations

from sbtools.backends import DETECTORS

__all__ = ["AUTO", "DETECTORS"]

AUTO = "classic"
