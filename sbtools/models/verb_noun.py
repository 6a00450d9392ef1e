"""A head whose classes are pairs of a verb and a noun, seen together or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sbtools.errors import UsageError
from sbtools.records.classes import SEPARATOR

PAIRS = "verb_noun"
"""What a model provides that has such a head, `model.head`."""

HEADS = ("classes", "verb-noun")
"""Of model linear: one layer over all classes, or this one."""


def reads_pairs(options: Mapping[str, Any]) -> bool:
    """Whether a model of these options reads VERB|NOUN for a class."""
    return options.get("head") == HEADS[1]


class VerbNoun(nn.Module):
    """A linear layer for verbs and one for nouns, of D features.

    The score of a class is log p(verb) + log p(noun), so that pairs are told, too, whose parts were
    seen in others. names: VERB|NOUN of each class; verbs and nouns stand in the alphabet's order.

    As "Disentangled action recognition with knowledge bases" (DARK, 2022) tells unseen pairs, but
    without a knowledge base. Raises UsageError for a name that has not two parts.
    """

    def __init__(self, width: int, names: Sequence[str]) -> None:
        super().__init__()
        pairs = [parted(name) for name in names]
        self.verbs, self.nouns = (sorted({pair[part] for pair in pairs}) for part in (0, 1))
        self.verb, self.noun = nn.Linear(width, len(self.verbs)), nn.Linear(width, len(self.nouns))
        self.choose(names)

    def choose(self, names: Sequence[str]) -> None:
        """The classes that are told; UsageError for a verb or a noun that is not known."""
        pairs = [parted(name) for name in names]
        for what, known, part in (("verbs", self.verbs, 0), ("nouns", self.nouns, 1)):
            strange = [pair[part] for pair in pairs if pair[part] not in known]
            if strange:
                raise UsageError(f"the model knows {len(known)} {what}, and {strange[0]!a} is none "
                                 "of them")  # fmt: skip
        self._verb_of = [self.verbs.index(verb) for verb, _ in pairs]
        self._noun_of = [self.nouns.index(noun) for _, noun in pairs]

    def parts(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """log p of the verbs, float [B, V], and of the nouns, [B, N]."""
        return self.verb(features).log_softmax(1), self.noun(features).log_softmax(1)

    def forward(self, features: Tensor) -> Tensor:
        """Float [B, K], of the chosen classes."""
        verbs, nouns = self.parts(features)
        return verbs[:, self._verb_of] + nouns[:, self._noun_of]

    def targets(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """Shares of the chosen classes [B, K] as shares of verbs [B, V] and of nouns [B, N]."""
        found = []
        for places, known in ((self._verb_of, self.verbs), (self._noun_of, self.nouns)):
            at = torch.tensor(places, device=target.device)
            found.append(target.new_zeros(len(target), len(known)).index_add(1, at, target))
        return found[0], found[1]


def parted(name: str) -> tuple[str, str]:
    """Verb and noun of VERB|NOUN; UsageError where these are not two."""
    verb, _, noun = name.partition(SEPARATOR)
    if not verb or not noun or SEPARATOR in noun:
        raise UsageError(
            f"class {name!a} is no verb and noun: labels are such as open|door, or records have "
            "the fields verb and noun"
        )
    return verb, noun
