"""Objectives by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sbtools.registry import pick

if TYPE_CHECKING:
    from sbtools.objectives.base import Objective

OBJECTIVES = {
    "infonce": "sbtools.objectives.infonce:InfoNCE",
    "class_ce": "sbtools.objectives.class_ce:ClassCE",
    "kl": "sbtools.objectives.kl:KL",
    "verb_noun": "sbtools.objectives.verb_noun:VerbNounCE",
}
"""Other packages add to it through the entry-point group sbtools.objectives."""


def build(name: str, **settings: Any) -> Objective:
    """The objective of this name; UsageError for another name, or a setting it does not have."""
    from sbtools.backends import checked

    made = pick(OBJECTIVES, "sbtools.objectives", name, "objective")
    built: Objective = made(**checked(made, settings, f"objective {name}"))
    return built
