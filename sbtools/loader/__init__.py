"""Clips as batches of frames, masks and labels."""

from __future__ import annotations

from sbtools.loader.dataset import Clips
from sbtools.loader.feed import load
from sbtools.loader.needs import NEEDS
from sbtools.loader.order import batches, order
from sbtools.loader.photo import finish
from sbtools.loader.sample import Failure, Sample

__all__ = ["NEEDS", "Clips", "Failure", "Sample", "batches", "finish", "load", "order"]
