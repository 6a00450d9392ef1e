"""The ways to compose clips, and what each needs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sbtools.compose.backgrounds import Backgrounds
from sbtools.compose.partners import Partners
from sbtools.compose.rule import Rule
from sbtools.store.made import read_made


class Mode(NamedTuple):
    """masks: the clip is to have masks. image: it gets a still background. partner: another clip
    takes part. drawn: something is drawn, so that copies differ.
    """

    masks: bool = True
    image: bool = False
    partner: bool = False
    drawn: bool = False


MODES = {
    "scuba": Mode(image=True, drawn=True),
    "scufo": Mode(image=True, drawn=True),
    "conflfg": Mode(image=True, partner=True, drawn=True),
    "swap": Mode(partner=True, drawn=True),
    "human-only": Mode(),
    "bg-only": Mode(),
    "self-composite": Mode(),
    "appearance-free": Mode(masks=False, drawn=True),
}
"""Names are the variants of the records that are made."""


def _about(folder: str) -> Any:
    """What a store was made of, or the name of another folder."""
    made = read_made(folder)
    return os.path.basename(os.path.abspath(folder)) if made is None else made["what"]


@dataclass(frozen=True)
class Composing:
    """What is done to every clip. behind: where swap has backgrounds from that are made already, a
    store of pixels or a folder with a video or a folder of images for each clip. noise, frames:
    those of appearance-free. copies: clips made of each.
    """

    mode: str
    seed: int = 0
    copies: int = 1
    rule: Rule = field(default_factory=Rule)
    backgrounds: Backgrounds | None = None
    partners: Partners | None = None
    behind: str | None = None
    noise: str = "carried"
    frames: str = "all"

    @property
    def needs(self) -> Mode:
        """The row of MODES."""
        return MODES[self.mode]

    @property
    def kind(self) -> str | None:
        """What records say in background_kind."""
        if self.backgrounds is not None:
            return self.backgrounds.kind
        if self.partners is not None and self.partners.pairs != "records":
            return self.partners.pairs
        return None

    def describe(self) -> dict[str, Any]:
        """What the clips depend on, JSON-ready."""
        told: dict[str, Any] = {"mode": self.mode, "seed": self.seed, "copies": self.copies}
        if self.needs.masks:
            told |= self.rule.describe()
        if self.backgrounds is not None:
            told |= self.backgrounds.describe()
        if self.partners is not None:
            told |= self.partners.describe()
        if self.needs.partner and not self.needs.image:
            told["behind"] = "made on the way" if self.behind is None else _about(self.behind)
        if not self.needs.masks:
            told |= {"noise": self.noise, "frames": self.frames}
        return told
