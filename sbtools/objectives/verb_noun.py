"""Verb and noun, each by itself."""

from __future__ import annotations

from math import isfinite
from typing import Any

from torch import Tensor

from sbtools import distributed
from sbtools.errors import UsageError
from sbtools.models.outputs import Outputs
from sbtools.objectives.base import Objective


class VerbNounCE(Objective):
    """verb CE(verb) + noun CE(noun), of a model with a head for each.

    Targets are shares of classes; a verb has those of its classes together, and so has a noun.

    verb  weight of the verb's cross-entropy; 0 leaves it out
    noun  likewise of the noun's

    Raises UsageError for weights below 0, and where both are 0.
    """

    name = "verb_noun"
    texts = "none"
    requires = frozenset({"verb_noun"})

    def __init__(self, verb: float = 1.0, noun: float = 1.0) -> None:
        super().__init__()
        self.weights = {"verb": float(verb), "noun": float(noun)}
        if not all(isfinite(each) and each >= 0 for each in self.weights.values()) or not any(
            self.weights.values()
        ):
            raise UsageError(
                f"verb_noun: verb and noun are weights of 0 or more, and not both 0: {verb}, {noun}"
            )

    def settings(self) -> dict[str, Any]:
        return dict(self.weights)

    def forward(self, outputs: Outputs, target: Tensor) -> Tensor:
        model: Any = outputs.model
        told, wanted = model.verb_noun(outputs.features), model.head.targets(target)
        weighed = zip(self.weights.values(), told, wanted, strict=True)
        each = [-(weight * shares.to(logs) * logs).sum(1) for weight, logs, shares in weighed]
        return distributed.mean(each[0] + each[1])
