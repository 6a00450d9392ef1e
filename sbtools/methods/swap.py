"""Training on the people of clips before the backgrounds of others."""

from __future__ import annotations

from typing import Any

from sbtools.errors import SbtoolsError, UsageError
from sbtools.methods.base import Batch
from sbtools.methods.mixing import Augmenting, paste, replaced, require_probability, shares
from sbtools.rng import Draws


class Swap(Augmenting):
    """The person of a clip is shown before a background without people; the label is the person's.

    What the action-swap test of HAT shows, in training (Chung, Wu, Russakovsky: "Enabling detailed
    action recognition evaluation through video dataset augmentation", 2022). With m the shape of
    the person and b a clip of the store:

        x' = m x + (1 - m) b

    backgrounds  a store of pixels of clips without people: `sbtools mask --mode person-box --fill
                 inpaint` makes one. Each clip draws one in each epoch, not its own, with a crop and
                 colours of its own
    p            how probably a clip is given another background
    least        the least share of the clip that the person is to fill, else it stays as it is;
                 HAT's is .05
    most         likewise the largest; HAT's is .5

    Targets stay, and no clip of the batch is shown in another. Unlike HAT's test the person stays
    where it is. We know of no official code of such a training: p is our reading. Raises UsageError
    for other values.
    """

    name = "swap"

    def __init__(
        self, backgrounds: str = "", p: float = 0.5, least: float = 0.0, most: float = 1.0
    ) -> None:
        super().__init__(p)
        require_probability("swap", least=least, most=most)
        if least > most:
            raise UsageError(f"method swap: least {least:g} is above most {most:g}")
        self.backgrounds, self.least, self.most = backgrounds, least, most
        self.resources = {"backgrounds": "store"} if p else {}
        self.needs = {"masks": {}, "background": {"store": backgrounds}} if p else {}

    def settings(self) -> dict[str, Any]:
        names = ("backgrounds", "p", "least", "most")
        return {name: getattr(self, name) for name in names}

    def require_resource(self, setting: str, opened: Any) -> None:
        """UsageError unless the backgrounds are a store of pixels with clips in it."""
        fix = "make one with `sbtools mask --mode person-box --fill inpaint`"
        if opened.kind != "pixels":
            raise UsageError(
                f"--set backgrounds={self.backgrounds}: a store of {opened.kind}, not pixels: {fix}"
            )
        if not opened.ids:
            raise UsageError(f"--set backgrounds={self.backgrounds}: the store is empty: {fix}")

    def augment(self, batch: Batch, rng: Draws) -> Batch:
        """The batch with its people elsewhere; clips that are left alone stay as they are."""
        if not self.p or not batch["id"]:
            return batch
        for name in ("person", "background"):
            if name not in batch:
                raise SbtoolsError(f"method swap: the batch has no '{name}' "
                                   f"({', '.join(batch['id'][:3])})")  # fmt: skip
        video, people = batch["video"], batch["person"]
        filled = shares(people)
        places = [place for place in self.drawn(batch["id"], rng)
                  if filled[place] and self.least <= filled[place] <= self.most]  # fmt: skip
        self.count(len(places), len(video))
        found = replaced(video, places, (batch["background"][place] for place in places))
        for place in places:
            paste(found[place], video[place], people[place])
        return {**batch, "video": found}
