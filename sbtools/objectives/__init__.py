"""Objectives by name."""

from __future__ import annotations

OBJECTIVES = {
    "infonce": "sbtools.objectives.infonce:InfoNCE",
    "class_ce": "sbtools.objectives.class_ce:ClassCE",
    "kl": "sbtools.objectives.kl:KL",
}
