"""Training on verbs that are told without their objects."""

from __future__ import annotations

from math import isfinite
from typing import Any

from torch import Tensor

from sbtools import distributed
from sbtools.errors import SbtoolsError, UsageError
from sbtools.methods.base import Method, Phase
from sbtools.methods.hidden import without
from sbtools.methods.mixing import require_probability
from sbtools.models.outputs import Outputs
from sbtools.models.verb_noun import PAIRS


class Dark(Method):
    """The verb is to be told from a clip whose objects are hidden, too.

    Luo, Ghosh, Guillory, Kato, Darrell, Xu: "Disentangled action recognition with knowledge bases"
    (2022), of which the heads for verbs and nouns and the hidden objects are here, and its
    knowledge base is not. To the objective is added

        weight CE(v, verb(x'))

    where the boxes of objects in x' have the mean colour of their frame. With
    `--set-objective verb=0` nothing else teaches the verb.

    weight     of the term; 0 leaves it out
    min_score  boxes of objects below this score, 0 to 1, are left out

    We found no official code: that nothing but the boxes is hidden, and their colour, are our
    reading. For model linear with head=verb-noun. Raises UsageError for other values.
    """

    name = "dark"

    def __init__(self, weight: float = 1.0, min_score: float = 0.0) -> None:
        super().__init__()
        self.weight, self.min_score = float(weight), min_score
        if not isfinite(self.weight):
            raise UsageError(f"method dark: weight is a number, not {self.weight}")
        require_probability("dark", min_score=min_score)
        self.requires = frozenset({PAIRS}) if weight else frozenset()
        self.needs = {"boxes": {"min_score": min_score}} if weight else {}

    def settings(self) -> dict[str, Any]:
        return {"weight": self.weight, "min_score": self.min_score}

    def losses(self, outputs: Outputs, phase: Phase) -> dict[str, Tensor]:
        if not self.weight:
            return {}
        objects = outputs.batch.get("object_box")
        if objects is None:
            raise SbtoolsError("method dark: the batch has no boxes of objects "
                               f"({', '.join(outputs.batch['id'][:3])})")  # fmt: skip
        model: Any = outputs.model
        hidden = outputs.of(without(outputs.batch["video"], objects))
        verbs, _ = model.verb_noun(hidden.features)
        wanted, _ = model.head.targets(outputs.batch["target"])
        return {"verb": self.weight * distributed.mean(-(wanted.to(verbs) * verbs).sum(1))}
