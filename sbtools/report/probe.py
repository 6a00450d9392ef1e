"""The scene probe of a card, as the page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sbtools.report.node import Node

NOTE = (
    "How often a linear probe of the model's features, fitted to clips of other sources, names the "
    "scene. Percent."
)


@dataclass(frozen=True)
class Probe:
    """What `sbtools probe` tells of the scene: shares from 0 to 1, clips and classes."""

    accuracy: float
    low: float | None
    high: float | None
    chance: float
    majority: float
    clips: int
    clusters: int
    scenes: int


def of(node: Node) -> Probe | None:
    """The probe that a result holds, None where it has none; DamagedError as `Node`."""
    if not node:
        return None
    ends = node["interval"]
    low, high = ends.numbers(2) if ends else (None, None)
    return Probe(
        node["accuracy"].share(), low, high, node["chance"].share(), node["majority"].share(),
        node["n"].whole(), node["clusters"].whole(), len(node["classes"].texts()),
    )  # fmt: skip


def grid(probe: Probe) -> dict[str, Any]:
    """A table of one row."""
    known = probe.low is not None and probe.high is not None
    spread = f"[{100 * (probe.low or 0):.1f}, {100 * (probe.high or 0):.1f}]" if known else ""
    cells = [
        (f"{100 * probe.accuracy:.2f}", spread),
        (f"{100 * probe.chance:.2f}", ""),
        (f"{100 * probe.majority:.2f}", ""),
        (str(probe.clips), ""),
        (str(probe.clusters), ""),
        (str(probe.scenes), ""),
    ]
    head = ["target", "accuracy", "chance", "most frequent", "clips", "sources", "scenes"]
    rows = [{"name": "scene", "cells": cells}]
    return {"title": "Scene probe", "head": head, "rows": rows, "note": NOTE}
