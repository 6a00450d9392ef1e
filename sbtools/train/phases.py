"""Whether model, method and objective fit each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sbtools.errors import SbtoolsError, UsageError
from sbtools.methods.base import Method
from sbtools.methods.several import members_of
from sbtools.models.base import Group
from sbtools.models.texts import WANTED
from sbtools.objectives.base import Objective
from sbtools.train.step import Step


def require_provided(
    provides: frozenset[str], model: str, method: Method, objective: Objective
) -> None:
    """UsageError that names what the model lacks for the objective or a method."""
    asked = [(f"objective {objective.name}", objective.requires, "; else --objective class_ce")]
    asked += [(f"method {m.name}", m.requires, "") for m in members_of(method)]
    for whose, requires, hint in asked:
        lacking = sorted(requires - provides)
        if lacking:
            what = " and ".join(REQUIREMENTS.get(name, name) for name in lacking)
            raise UsageError(f"{whose} requires what model {model} does not have: {what}{hint}")


REQUIREMENTS = {
    "texts": "texts of the classes",
    "cosine": "cosines with texts of the classes",
    "one_frame": "motionless clips at the cost of a frame",
    "verb_noun": "a head of verbs and nouns (--set-model head=verb-noun)",
}


def require_phases(step: Step, groups: Sequence[Group]) -> None:
    """Refuse what the model lacks, and phases that cannot be trained, before the first step.

    Raises UsageError for a requirement, SbtoolsError for a phase that is named twice, that trains a
    group which there is not or which is empty, and unless one phase has the objective.
    """
    require_provided(step.model.provides, step.model.name, step.method, step.objective)
    phases, name = step.method.phases(), step.method.name
    if [phase.objective for phase in phases].count(True) != 1:
        raise SbtoolsError(f"method {name}: exactly one of its phases has the objective")
    twice = [each for each, count in Counter(phase.name for phase in phases).items() if count > 1]
    if twice:
        raise SbtoolsError(f"method {name} has two phases {twice[0]}")
    known = {group["name"] for group in groups if any(p.requires_grad for p in group["params"])}
    for phase in phases:
        if phase.texts not in WANTED:
            raise SbtoolsError(f"method {name}: texts of phase {phase.name} are {phase.texts}, not "
                               f"one of {', '.join(WANTED)}")  # fmt: skip
        for wanted in phase.trains or ():
            if wanted not in known:
                raise SbtoolsError(
                    f"method {name}: phase {phase.name} trains '{wanted}', and there is nothing of "
                    f"that name to train: {', '.join(sorted(known))}"
                )
        if phase.trains == ():
            raise SbtoolsError(f"method {name}: phase {phase.name} trains nothing")
