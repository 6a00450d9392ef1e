"""How the records of an evaluation are shown: all alike, or as a published test shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sbtools import models, protocols
from sbtools.errors import UsageError
from sbtools.evaluate.eval_records import RecordSubset
from sbtools.evaluate.evaluated_model import told_of
from sbtools.evaluate.request import Request
from sbtools.index import labels
from sbtools.models import backbones
from sbtools.models.base import VideoModel
from sbtools.models.recipe import Recipe
from sbtools.protocols import BACKGROUNDS, FOR_ALL, Protocol

FIXED = ("mvit",)
"""Of torchvision's networks, those that take one number of frames."""

ALL = ""
"""The variant of clips that have none, or one that the protocol does not name."""


@dataclass(frozen=True)
class Chain:
    """A record is shown in so many clips and, of each, crops, by the recipe.

    whole: of all of its frames, never of those alone that a store of masks holds.
    """

    recipe: Recipe
    clips: int = 1
    crops: int = 1
    whole: bool = False

    @property
    def views(self) -> int:
        """Clips times crops."""
        return self.clips * self.crops

    def describe(self) -> dict[str, Any]:
        """As a result keeps it: JSON."""
        shown = self.recipe
        short = shown.size if self.crops > 1 else shown.short_side
        return {
            "sampling": shown.sampling, "clips": self.clips, "crops": self.crops,
            "size": shown.size, "short": short, "resize_test": shown.resize_test,
            "normalise": shown.normalise,
        }  # fmt: skip


class Chains:
    """The chain of each record, by its field `variant`; without a protocol there is one for all.

    average: probabilities or logits, over the views of a record.
    """

    def __init__(
        self, by_variant: Mapping[str, Chain], name: str = "", protocol: Protocol | None = None
    ) -> None:
        self.by_variant, self.name, self.protocol = dict(by_variant), name, protocol
        self.average = str((protocol and protocol.value("average")) or protocols.AVERAGES[0])

    @property
    def usual(self) -> Chain:
        """Of records without a variant."""
        return self.by_variant[ALL]

    @property
    def views(self) -> int:
        """The most that any record is shown in."""
        return max(chain.views for chain in self.by_variant.values())

    def require_classes(self, count: int | None) -> None:
        """UsageError where a protocol chooses among another number of classes."""
        if self.protocol is not None:
            require(self.name, "classes", self.protocol.whole("classes"), count)

    def split(self, part: RecordSubset) -> list[tuple[Chain, RecordSubset]]:
        """The records, by the way in which they are shown."""
        if len(set(self.by_variant.values())) == 1:
            return [(self.usual, part)]
        places: dict[Chain, list[int]] = {}
        for at in range(len(part)):
            chain = self.by_variant.get(part.variant(at), self.usual)
            places.setdefault(chain, []).append(at)
        return [(chain, part.some(found)) for chain, found in places.items()]

    def describe(self) -> dict[str, Any]:
        """What a result says of them: JSON."""
        told: dict[str, Any] = {"clips": self.usual.clips, "crops": self.usual.crops}
        if self.protocol is None:
            return told
        fixed = {name: self.protocol.value(name) for name in FOR_ALL}
        return {**told, "name": self.name, **{k: v for k, v in fixed.items() if v is not None},
                "chains": {name: self._chain(name) for name in self.by_variant}}  # fmt: skip

    def _chain(self, variant: str) -> dict[str, Any]:
        assert self.protocol is not None
        kinds = self.protocol.value(BACKGROUNDS, variant)
        averaged = {BACKGROUNDS: list(kinds)} if isinstance(kinds, tuple) else {}
        return {**self.by_variant[variant].describe(), **averaged}


NEEDS = {
    "frames": "shows {} frames, and the model is made for {}: another model, or no --protocol",
    "size": "shows {} pixels a side, and the model takes {}: another model, or no --protocol",
    "classes": "chooses among all {} classes of its data set, not among {}: --classes FILE",
}


def require(name: str, what: str, wanted: int | None, found: int | None) -> None:
    """UsageError where a protocol fixes another number than there is; None: it is not known."""
    if wanted is not None and found is not None and wanted != found:
        raise UsageError(f"--protocol {name} {NEEDS[what].format(wanted, found)}")


def frames_of(request: Request) -> int | None:
    """The frames that the protocol fixes, if there is one and it does."""
    return protocols.find(request.protocol).whole("frames") if request.protocol else None


def require_met(request: Request) -> None:
    """UsageError for what a model cannot be shown or asked, as far as it is told without loading
    it: by run.json, by a folder of transformers, by lists of classes."""
    if request.protocol is None:
        return
    protocol, name = protocols.find(request.protocol), request.protocol
    told = told_of(request.run).get("settings", {}) if request.run is not None else {}
    frames = told.get("frames") or (made_for(request) if request.model else None)
    require(name, "frames", protocol.whole("frames"), frames)
    given = request.classes or request.base or request.novel
    listed = len(labels.listed(given).names) if given else len(told.get("classes", ())) or None
    require(name, "classes", protocol.whole("classes"), listed)


def made_for(request: Request) -> int | None:
    """The number of frames that a model which no run holds was made for; None where it may be any,
    or is not known before it is loaded."""
    kind, _, rest = str(request.model).partition(":")
    if kind == "hf":
        return backbones.usual_frames(f"hf:{rest}")
    if kind == "torchvision":
        return backbones.usual_frames(rest) if rest.startswith(FIXED) else None
    if rest or not request.weights:
        return None
    return models.usual_frames(kind, request.weights)


def chains_of(request: Request, model: VideoModel) -> Chains:
    """How a request shows records to a model; UsageError where the model cannot be shown them so.

    Of a protocol everything but the constants of normalisation, which are the model's, and what it
    leaves to the model.
    """
    if request.protocol is None:
        return Chains({ALL: Chain(model.recipe, request.clips, request.crops)})
    protocol = protocols.find(request.protocol)
    require(request.protocol, "frames", protocol.whole("frames"), model.frames)
    require(request.protocol, "size", protocol.whole("size"), model.recipe.size)
    made = {v: chain_of(protocol, v, model.recipe) for v in (ALL, *protocol.variants)}
    return Chains(made, request.protocol, protocol)


def chain_of(protocol: Protocol, variant: str, recipe: Recipe) -> Chain:
    """How clips of a variant are shown to a model of this recipe."""
    fixed = {name: protocol.value(name, variant) for name in ("sampling", "resize_test")}
    given: dict[str, Any] = {name: value for name, value in fixed.items() if value is not None}
    short, clips, crops = (protocol.value(name, variant) for name in ("short", "clips", "crops"))
    shown = replace(recipe, **given, short=_number(short, 0))
    return Chain(shown, _number(clips, 1), _number(crops, 1), whole=True)


def _number(value: Any, usual: int) -> int:
    return usual if value is None else int(value)
