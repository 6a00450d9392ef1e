"""Training on the people of clips before the background of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from sbtools.errors import SbtoolsError
from sbtools.methods.base import Batch
from sbtools.methods.mixing import (
    Mixing,
    extent,
    follow,
    paste,
    replaced,
    require_probability,
    shares,
)
from sbtools.rng import Draws


class ActorCutMix(Mixing):
    """The people of a clip, in their boxes, are shown before another clip without its people.

    Zou, Choi, Wang, Huang: "Learning representational invariances for data-efficient action
    recognition" (2023). With m the boxes of people and r the share of the clip in them:

        x' = m x + (1 - m) (1 - m_other) x_other
        y' = w y + (1 - w) y_other                 w = 1 - (1 - r)^4

    where the other of the first clip of the batch is the last one, and so on. What is hidden of
    the other one is 0, the mean colour.

    p          how probably a clip is given another background
    min_score  boxes below this score, 0 to 1, are left out

    A clip stays as it is where it has no people or is people altogether, where it is its own
    other, and where that other has no people or nothing else: the official code then shows people
    before black, as if that were a background. We leave clips in their order, where StillMix's
    code puts those that are mixed first.

    Source: vt-vl-lab/video-data-aug 01667cd, and lihaoxin05/StillMix, main_network/
    Video-Swin-Transformer/mmaction/datasets/blending_utils.py, ActorCutmixBlending. Raises
    UsageError for other values.
    """

    name = "actorcutmix"

    def __init__(self, p: float = 0.5, min_score: float = 0.4) -> None:
        super().__init__(p)
        require_probability("actorcutmix", min_score=min_score)
        self.min_score = min_score
        self.needs = {"boxes": {"min_score": min_score}} if p else {}
        self._shares: list[float] = []  # of people, in the clips of the batch at hand

    def settings(self) -> dict[str, Any]:
        return {"p": self.p, "min_score": self.min_score}

    def others(self, ids: Sequence[str], rng: Draws) -> list[int]:
        """The batch from its end."""
        return list(range(len(ids)))[::-1]

    def wanted(self, batch: Batch, places: Sequence[int], others: Sequence[int]) -> list[bool]:
        """Which of these clips have people and something else, as their others have."""
        self._shares = shares(self._people(batch))
        good = [0 < share < 1 for share in self._shares]
        return [place != other and good[place] and good[other]
                for place, other in zip(places, others, strict=True)]  # fmt: skip

    def mixed(
        self, batch: Batch, rng: Draws, places: Sequence[int], others: Sequence[int]
    ) -> Batch:
        video, people = batch["video"], self._people(batch)
        found = replaced(video, places, (video[other] for other in others))
        spots = {place: extent(people[place]) for place in {*places, *others}}
        for place, other in zip(places, others, strict=True):
            rows, columns = spots[other]
            hidden = people[other][:, None, rows, columns]
            found[place][:, :, rows, columns].masked_fill_(hidden, 0)
            paste(found[place], video[place], people[place], spots[place])
        kept = [1 - (1 - self._shares[place]) ** 4 for place in places]
        return {**batch, "video": found, "target": follow(batch["target"], places, others, kept)}

    def _people(self, batch: Batch) -> torch.Tensor:
        people: torch.Tensor | None = batch.get("person_box")
        if people is None:
            raise SbtoolsError(f"method actorcutmix: the batch has no boxes of people "
                               f"({', '.join(batch['id'][:3])})")  # fmt: skip
        return people
